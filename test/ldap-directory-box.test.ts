/** @file Signing in against OpenLDAP's own server, with the settings as docs/security.md says. Needs slapd and slapadd (Debian: apt install slapd); installs nothing. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StartedBox, startBox, waitFor } from "./start-box.ts";

const folders = ["/usr/sbin", "/usr/local/libexec", "/usr/libexec", "/opt/homebrew/opt/openldap/libexec"];
const find = (name: string): string | undefined => folders.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file));
const slapd = find("slapd");
const slapadd = find("slapadd");
const schemas = ["/etc/ldap/schema", "/etc/openldap/schema"].find((folder) => fs.existsSync(folder));
const isThere = slapd !== undefined && slapadd !== undefined && schemas !== undefined;

const people = `dn: dc=example,dc=org
objectClass: domain
dc: example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: cn=reader,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: reader's password

dn: uid=lin,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: lin
cn: Lin
sn: Lin
mail: Lin@example.org
userPassword: lin's password

dn: uid=eve,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: eve
cn: Eve
sn: Eve
mail: eve@example.org
userPassword: eve's password
`;

let folder = "";
let directory: ChildProcess | undefined;
let box: StartedBox | undefined;

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const isOpen = (port: number): Promise<true | null> =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(null));
  });

/** The status of a sign-in with what was typed. */
async function signIn(email: string, password: string): Promise<number> {
  const response = await fetch(`${box?.url}/api/auth/sign-in/email`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: box?.url ?? "" },
    body: JSON.stringify({ email, password }),
  });
  return response.status;
}

describe.skipIf(!isThere)("OpenLDAP", () => {
  beforeAll(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-slapd-"));
    fs.mkdirSync(path.join(folder, "db"));
    const config = path.join(folder, "slapd.conf");
    const modules = ["/usr/lib/ldap", "/usr/lib64/openldap", "/usr/libexec/openldap"].find((place) => fs.existsSync(place));
    const lines = ["core", "cosine", "inetorgperson"].map((name) => `include ${schemas}/${name}.schema`);
    if (modules !== undefined) lines.push(`modulepath ${modules}`, "moduleload back_mdb");
    lines.push("database mdb", 'suffix "dc=example,dc=org"', `directory ${folder}/db`, "maxsize 10485760");
    // As in a department: who is not bound reads nothing, passwords serve for binding only.
    lines.push("access to attrs=userPassword by anonymous auth by * none", 'access to * by dn.exact="cn=reader,dc=example,dc=org" read by * none');
    fs.writeFileSync(config, `${lines.join("\n")}\n`);
    fs.writeFileSync(path.join(folder, "people.ldif"), people);
    execFileSync(slapadd ?? "", ["-f", config, "-l", path.join(folder, "people.ldif")]);
    const port = await freePort();
    directory = spawn(slapd ?? "", ["-f", config, "-h", `ldap://127.0.0.1:${port}`, "-d", "0"], { stdio: "ignore" });
    await waitFor(20_000, () => isOpen(port));
    box = await startBox({
      env: {
        STARBOX_MODEL: "none",
        STARBOX_EMBEDDER: "none",
        STARBOX_LDAP_URL: `ldap://127.0.0.1:${port}`,
        STARBOX_LDAP_BASE: "ou=people,dc=example,dc=org",
        STARBOX_LDAP_BIND_DN: "cn=reader,dc=example,dc=org",
        STARBOX_LDAP_BIND_PASSWORD: "reader's password",
      },
    });
    const made = await fetch(`${box.url}/api/people`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${box.token}` },
      body: JSON.stringify({ name: "Lin", email: "lin@example.org", role: "member" }),
    });
    expect(made.status, await made.text()).toBe(201);
  });
  afterAll(async () => {
    await box?.stop();
    directory?.kill();
    if (folder !== "") fs.rmSync(folder, { recursive: true, force: true });
  });

  test("by name and by e-mail, with the directory's password; not with another, not without one, not who is unknown here, not by a filter", async () => {
    expect(await signIn("lin", "lin's password")).toBe(200);
    expect(await signIn("lin@example.org", "lin's password")).toBe(200);
    expect(await signIn("lin", "another")).toBe(401);
    expect(await signIn("lin", "")).toBe(400);
    expect(await signIn("eve", "eve's password")).toBe(401);
    expect(await signIn("*)(uid=lin", "lin's password")).toBe(401);
  });
});
