/** @file The door of `client`: a box over HTTP, typed, for the command line, the console and tests. */
export {
  type Client,
  createClient,
  type Dictionary,
  type DocumentQuery,
  type DocumentText,
  type Person,
  type SessionInfo,
} from "./client.ts";
export { ClientError, type ClientOptions, createHttp, type Http, type RequestOptions, readEvents } from "./http.ts";
