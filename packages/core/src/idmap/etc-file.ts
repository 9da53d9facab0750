import { NearfarError } from "../errors.ts";

const LONGEST = 16 * 1024 * 1024; // bytes; a file of a million users has about twice as many
const CHUNK = 64 * 1024;

/**
 * Reads a file of Node's own `/etc`, whatever task is current. A file that does not exist is empty.
 *
 * The file may be a link. A named pipe, on which reading would wait, and a file without an end are refused.
 */
export async function readEtcFile(path: string): Promise<string> {
	const { constants, promises } = process.getBuiltinModule("node:fs");
	const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
	const file = await promises.open(path, flags).catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return undefined;
		throw error;
	});
	if (!file) return "";
	try {
		if (!(await file.stat()).isFile()) throw new NearfarError("FORMAT", `${path} is not a regular file`);
		const chunks: Buffer[] = [];
		for (let length = 0; ; ) {
			const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK);
			length += bytesRead;
			if (length > LONGEST) throw new NearfarError("FORMAT", `${path} is longer than ${LONGEST} bytes`);
			if (bytesRead === 0) return Buffer.concat(chunks).toString();
			chunks.push(buffer.subarray(0, bytesRead));
		}
	} finally {
		await file.close();
	}
}

/** Returns the lines of a text one after the other. */
export function* linesOf(text: string): Generator<string, void> {
	for (let start = 0; start < text.length; ) {
		const found = text.indexOf("\n", start);
		const end = found < 0 ? text.length : found;
		yield text.slice(start, end);
		start = end + 1;
	}
}
