import type { Buffer } from "node:buffer";
import { toChoice } from "../addon/flags.ts";

/** The form in which a function returns a name or a target: text, or bytes as they are. */
export type Encoding = "utf8" | "buffer";

/** Checks an encoding. */
export function toEncoding(encoding: Encoding | undefined): Encoding {
	if (encoding === undefined) return "utf8";
	toChoice({ utf8: 0, buffer: 1 }, encoding, "options.encoding");
	return encoding;
}

/** Returns the function that converts bytes of the kernel for a caller who asks for this encoding. */
export function textOrBytes(encoding?: Encoding): (bytes: Buffer) => string | Buffer {
	return toEncoding(encoding) === "utf8" ? (bytes) => bytes.toString("utf8") : (bytes) => bytes;
}
