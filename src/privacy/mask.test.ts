/** @file Masks: what is one, what only looks like one, and that a text in pieces gives what the whole gives. */
import { expect, test } from "vitest";
import { isBankCard, isIdentityNumber } from "./detect.ts";
import { createMasker, type Masker } from "./mask.ts";

const all = ["mobile", "identity", "bankCard", "email", "word"] as const;
const words = ["金桂计划", "Project Falcon", "轮岗", "岗位津贴", "ab", "bcd"];
const masker = createMasker(all, words) as Masker;
const { mask } = masker;

test("each kind, as people write it", () => {
  expect(mask("请打 13800138000 找我")).toBe("请打 138****8000 找我");
  expect(mask("电话：138-0013-8000；或+86 139 1234 5678。")).toBe("电话：138****8000；或139****5678。");
  expect(mask("全角１３８００１３８０００也算")).toBe("全角138****8000也算");
  expect(mask("身份证11010519491231002X。")).toBe("身份证110***********002X。");
  expect(mask("身份证 110105 19491231 002x")).toBe("身份证 110***********002x");
  expect(mask("卡号6222021234567890128，")).toBe("卡号**** **** **** 0128，");
  expect(mask("Visa 4111-1111-1111-1111 please")).toBe("Visa **** **** **** 1111 please");
  expect(mask("写给 zhang.san+hr@mail.example.com.cn，谢谢")).toBe("写给 z***@mail.example.com.cn，谢谢");
  expect(mask("金桂计划与 project  falcon 保密")).toBe("****与 *************** 保密");
});

test("what only looks like one stays", () => {
  for (const text of [
    "12800138000", // no such beginning of a mobile number
    "订单 138001380001", // twelve digits
    "110105194912310021", // wrong check digit
    "110105194902300029", // 30 February
    "4111111111111112", // fails the Luhn sum
    "1234567812345670", // passes it, but no issuer begins so
    "GB/T 2312-1980，第 12345678901234 号",
    "a@b，@everyone，x@localhost",
    "1949年10月1日 2026-01-01 10:00:00",
  ])
    expect(mask(text), text).toBe(text);
  expect([isIdentityNumber("11010519491231002X"), isIdentityNumber("110105194912310021")]).toEqual([true, false]);
  expect([isBankCard("4111111111111111"), isBankCard("4111111111111112")]).toEqual([true, false]);
});

test("only the kinds of the policy; nothing to do is no masker", () => {
  expect(createMasker(["email"], [])?.mask("13800138000 a.b@example.com")).toBe("13800138000 a***@example.com");
  expect(createMasker(["word"], ["", "  "])).toBeNull();
  expect(masker.find("13800138000，金桂计划")).toEqual(["mobile", "word"]);
});

const samples = [
  "请联系 13800138000 或 +86 139-1234-5678，邮箱 li.si@example.com。",
  "身份证 110105 19491231 002X，卡 6222 0212 3456 7890 128；金桂计划轮岗位津贴。",
  "Project Falcon: card 4111 1111 1111 1111. Write to a_b@c-d.example.org! abcd bcd ab",
  "第五百七十七条 当事人一方不履行合同义务 2026-01-01 12345678901234567890123",
  `${"x".repeat(700)}13800138000${"y".repeat(700)} 金桂计${"金桂计划".repeat(3)}`,
];

test("a text in pieces, wherever it is cut, comes out as the whole does", () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  let pieces = 0;
  for (const text of samples) {
    // Every single cut, then many at random.
    const cuts = [
      ...Array.from({ length: text.length }, (_, at) => [at]),
      ...Array.from({ length: 60 }, () => Array.from({ length: 1 + random(40) }, () => random(text.length))),
    ];
    for (const places of cuts) {
      const stream = masker.stream();
      let out = "";
      let from = 0;
      for (const to of [...places.toSorted((a, b) => a - b), text.length]) {
        out += stream.push(text.slice(from, to));
        from = to;
        pieces++;
      }
      expect(out + stream.end()).toBe(mask(text));
    }
  }
  expect(pieces).toBeGreaterThan(2000);
});

test("Chinese without numbers is not held back", () => {
  const stream = masker.stream();
  expect(stream.push("劳动合同期限三个月以上")).toBe("劳动合同期限三个月以上");
  expect(stream.push("，试用期电话1380")).toBe("，试用期电话");
  expect(stream.push("0138000。")).toBe("138****8000。");
  expect(stream.push("说明：轮")).toBe("说明：");
  expect(stream.push("到你了")).toBe("轮到你了");
});
