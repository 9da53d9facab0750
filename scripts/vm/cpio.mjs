// Writes archives in the format "newc" of cpio(5), which the kernel unpacks as its first file system.

const TRAILER = "TRAILER!!!";
const kinds = { file: 0o100000, folder: 0o040000, device: 0o020000 };

/**
 * Returns an archive as one buffer.
 *
 * @param {object[]} entries - Each has a `name` without a leading slash and either `data` (a regular file), `device` (the two
 *   numbers of a character device), or neither (a folder). `mode` holds the permissions, by default 0o755.
 */
export function cpio(entries) {
	const parts = entries.flatMap((entry, index) => member(entry, index + 1));
	return Buffer.concat([...parts, ...member({ name: TRAILER, data: Buffer.alloc(0), mode: 0 }, 0)]);
}

function member({ name, data, device, mode = 0o755 }, inode) {
	const kind = device ? kinds.device : data ? kinds.file : kinds.folder;
	const content = Buffer.from(data ?? []);
	const path = Buffer.from(`${name}\0`);
	const [major, minor] = device ?? [0, 0];
	// inode, mode, uid, gid, links, time, size, device (2), device of a node (2), size of the name, checksum
	const fields = [inode, kind | mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, path.length, 0];
	const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
	const head = Buffer.concat([Buffer.from(header), path]);
	return [head, padding(head.length), content, padding(content.length)];
}

function padding(length) {
	return Buffer.alloc((4 - (length % 4)) % 4);
}
