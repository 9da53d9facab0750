const LENGTH = 64 * 1024; // bytes; a longer file of /proc is cut off

/** Returns the first 64 KiB of a file as text, or "" if the file cannot be read. For messages, which must not fail. */
export function readBounded(path: string): string {
	const { closeSync, openSync, readSync } = process.getBuiltinModule("node:fs");
	let fd: number | undefined;
	try {
		fd = openSync(path, "r");
		const bytes = Buffer.alloc(LENGTH);
		let length = 0;
		for (let read = 1; read > 0 && length < LENGTH; length += read)
			read = readSync(fd, bytes, length, LENGTH - length, -1);
		return bytes.toString("utf8", 0, length);
	} catch {
		return "";
	} finally {
		if (fd !== undefined) closeSync(fd);
	}
}
