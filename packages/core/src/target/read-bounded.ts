const PART = 64 * 1024; // bytes
const MOST = 16 * 1024 * 1024; // bytes; a list of 100 000 mounts is shorter, which is all that a mount namespace may have

/**
 * Returns the first 16 MiB of a file as text, or "" if the file cannot be read. For messages, which must neither fail nor block:
 * a named pipe in the place of the file is not waited for.
 */
export function readBounded(path: string): string {
	const { closeSync, constants, openSync, readSync } = process.getBuiltinModule("node:fs");
	let fd: number | undefined;
	try {
		fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
		const part = Buffer.allocUnsafe(PART);
		const parts: Buffer[] = [];
		for (let length = 0; length < MOST; ) {
			const read = readSync(fd, part, 0, PART, -1);
			if (read === 0) break;
			parts.push(Buffer.from(part.subarray(0, read))); // a copy: a read of /proc returns one page at a time
			length += read;
		}
		return Buffer.concat(parts).toString();
	} catch {
		return "";
	} finally {
		if (fd !== undefined) closeSync(fd);
	}
}
