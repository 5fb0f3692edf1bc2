/** @file The door of `server`: HTTP over the services. Knows no store, no model, no file of a document. */
export { createServer, type HttpServer, type ServerOptions } from "./server.ts";
