import type { Buffer } from "node:buffer";
import { toChoice } from "../addon/flags.ts";

/** The form in which a function returns a name or a target: text, or bytes as they are. */
export type Encoding = "utf8" | "buffer";

/** Returns the function that converts bytes of the kernel for a caller who asks for this encoding. */
export function textOrBytes(encoding: Encoding = "utf8"): (bytes: Buffer) => string | Buffer {
	return toChoice({ utf8: 0, buffer: 1 }, encoding, "options.encoding") === 0
		? (bytes) => bytes.toString("utf8")
		: (bytes) => bytes;
}
