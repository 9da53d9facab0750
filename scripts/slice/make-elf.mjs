// Makes the smallest ELF files that have what the gates of a slice read, for tests.

const machines = { x64: 62, arm64: 183 };

/**
 * Returns an ELF file.
 *
 * @param {object} parts
 * @param {"x64" | "arm64"} parts.cpu - Its machine.
 * @param {string[]} [parts.needed] - The libraries that it needs. Without any the file has no dynamic section: it is static.
 * @param {string[]} [parts.versions] - The versions of symbols that it needs of the first library.
 * @param {string} [parts.runPath] - Where it looks for libraries.
 * @param {string} [parts.interpreter] - Its program interpreter.
 * @param {string} [parts.text] - Bytes at its end.
 */
export function makeElf({ cpu, needed = [], versions = [], runPath, interpreter, text = "" }) {
	const strings = ["", ...needed, ...versions, runPath ?? "", interpreter ?? ""];
	const places = new Map();
	let table = "";
	for (const string of strings) {
		places.set(string, table.length);
		table += `${string}\0`;
	}
	const isStatic = needed.length === 0;
	const headers = 64 + 3 * 56;
	const versionsAt = headers + table.length;
	const list = isStatic ? Buffer.alloc(0) : versionList(places, needed[0], versions);
	const dynamicAt = versionsAt + list.length;
	const entries = isStatic
		? []
		: [
				...needed.map((name) => [1, places.get(name)]),
				[5, headers],
				...(runPath ? [[29, places.get(runPath)]] : []),
				...(versions.length > 0
					? [
							[0x6ffffffe, versionsAt],
							[0x6fffffff, 1],
						]
					: []),
				[0, 0],
			];
	const dynamic = words(entries.flat());
	const size = dynamicAt + dynamic.length;
	const header = Buffer.alloc(64);
	header.write("\x7fELF\x02\x01\x01", "latin1");
	header.writeUInt16LE(isStatic ? 2 : 3, 16);
	header.writeUInt16LE(machines[cpu], 18);
	header.writeBigUInt64LE(64n, 32);
	header.writeUInt16LE(56, 54);
	header.writeUInt16LE(3, 56);
	return Buffer.concat([
		header,
		segment(1, 0, size),
		isStatic ? Buffer.alloc(56) : segment(2, dynamicAt, dynamic.length),
		interpreter ? segment(3, headers + places.get(interpreter), interpreter.length + 1) : Buffer.alloc(56),
		Buffer.from(table, "latin1"),
		list,
		dynamic,
		Buffer.from(text),
	]);
}

function segment(type, offset, size) {
	const header = words([0, offset, offset, offset, size, size, 1]);
	header.writeUInt32LE(type, 0);
	return header;
}

/** Returns one `Elf64_Verneed` and an `Elf64_Vernaux` for each version. */
function versionList(places, library, versions) {
	const list = Buffer.alloc(16 * (1 + versions.length));
	list.writeUInt16LE(1, 0);
	list.writeUInt16LE(versions.length, 2);
	list.writeUInt32LE(places.get(library), 4);
	list.writeUInt32LE(16, 8);
	versions.forEach((version, index) => {
		const at = 16 * (1 + index);
		list.writeUInt32LE(places.get(version), at + 8);
		list.writeUInt32LE(index + 1 < versions.length ? 16 : 0, at + 12);
	});
	return list;
}

function words(numbers) {
	const bytes = Buffer.alloc(8 * numbers.length);
	numbers.forEach((number, index) => {
		bytes.writeBigUInt64LE(BigInt(number), 8 * index);
	});
	return bytes;
}
