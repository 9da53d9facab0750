import { Buffer } from "node:buffer";

const BACKSLASH = 0x5c;
const [ZERO, THREE, SEVEN] = [0x30, 0x33, 0x37];

/**
 * Decodes every `\ooo`, which stands for the byte with this octal number. A backslash before anything else stays as it is:
 * some file systems write their options as they are.
 */
export function decodeEscapes(bytes: Uint8Array): Buffer {
	const decoded = Buffer.allocUnsafe(bytes.length);
	let length = 0;
	for (let at = 0; at < bytes.length; length++) {
		const byte = escaped(bytes, at);
		decoded[length] = byte ?? (bytes[at] as number);
		at += byte === undefined ? 1 : 4;
	}
	return decoded.subarray(0, length);
}

/** Returns the byte that is escaped at a place. `undefined`: no byte is escaped there. */
function escaped(bytes: Uint8Array, at: number): number | undefined {
	if (bytes[at] !== BACKSLASH) return undefined;
	const [high, middle, low] = [digit(bytes[at + 1], THREE), digit(bytes[at + 2]), digit(bytes[at + 3])];
	return high === undefined || middle === undefined || low === undefined ? undefined : high * 64 + middle * 8 + low;
}

function digit(byte: number | undefined, most = SEVEN): number | undefined {
	return byte !== undefined && byte >= ZERO && byte <= most ? byte - ZERO : undefined;
}
