// Reads what the gates of a slice ask about an ELF file of 64 bits, little-endian.

const PROGRAM_HEADER = 56; // its length in bytes
/** The types of program headers. */
const LOAD = 1;
const DYNAMIC = 2;
const INTERPRETER = 3;
/** The tags of the dynamic section. */
const NEEDED = 1n;
const STRINGS = 5n;
const RPATH = 15n;
const RUNPATH = 29n;
const VERSIONS = 0x6ffffffen;
const VERSION_COUNT = 0x6fffffffn;

const machines = { 62: "x64", 183: "arm64" };

/**
 * Returns the facts of an ELF file: `cpu`, the word of npm for its machine; `isShared`; `interpreter`, `needed` and `runPath`; and
 * `versions`, the versions of symbols that the file needs, such as "GLIBC_2.28".
 *
 * @param {Buffer} bytes - The whole file.
 * @throws {Error} The bytes are no such file, or the file is cut off.
 */
export function readElf(bytes) {
	if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1)
		throw new Error("not an ELF file of 64 bits");
	const machine = bytes.readUInt16LE(18);
	const segments = readSegments(bytes);
	const sectionsEnd = Number(bytes.readBigUInt64LE(40)) + bytes.readUInt16LE(58) * bytes.readUInt16LE(60);
	const ends = segments.filter(({ type }) => type === LOAD).map(({ offset, size }) => offset + size);
	if (Math.max(sectionsEnd, ...ends) > bytes.length) throw new Error("the file is cut off");
	const elf = {
		cpu: machines[machine] ?? `machine ${machine}`,
		isShared: bytes.readUInt16LE(16) === 3,
		interpreter: undefined,
		needed: [],
		runPath: undefined,
		versions: [],
	};
	const interpreter = segments.find(({ type }) => type === INTERPRETER);
	if (interpreter) elf.interpreter = stringAt(bytes, interpreter.offset);
	const dynamic = segments.find(({ type }) => type === DYNAMIC);
	if (!dynamic) return elf;
	const entries = [];
	for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16)
		entries.push([bytes.readBigUInt64LE(at), Number(bytes.readBigUInt64LE(at + 8))]);
	const value = (tag) => entries.find(([found]) => found === tag)?.[1];
	const strings = offsetOf(segments, value(STRINGS) ?? 0);
	elf.needed = entries.filter(([tag]) => tag === NEEDED).map(([, name]) => stringAt(bytes, strings + name));
	const path = value(RUNPATH) ?? value(RPATH);
	if (path !== undefined) elf.runPath = stringAt(bytes, strings + path);
	if (value(VERSIONS) !== undefined)
		elf.versions = readVersions(bytes, offsetOf(segments, value(VERSIONS)), value(VERSION_COUNT), strings);
	return elf;
}

/** Returns the highest version of glibc that the file needs, as two numbers, or undefined. */
export function highestGlibc({ versions }) {
	const numbers = versions
		.map((version) => version.match(/^GLIBC_(\d+)\.(\d+)/))
		.filter(Boolean)
		.map(([, major, minor]) => [Number(major), Number(minor)]);
	return numbers.sort(([a, b], [c, d]) => a - c || b - d).at(-1);
}

function readSegments(bytes) {
	const [start, size, count] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
	if (size !== PROGRAM_HEADER) throw new Error(`a program header has ${PROGRAM_HEADER} bytes, and not ${size}`);
	return Array.from({ length: count }, (_, index) => {
		const at = start + size * index;
		const word = (place) => Number(bytes.readBigUInt64LE(at + place));
		return { type: bytes.readUInt32LE(at), offset: word(8), address: word(16), size: word(32) };
	});
}

/** Returns where in the file an address of the loaded program lies. */
function offsetOf(segments, address) {
	const segment = segments.find(
		({ type, ...it }) => type === LOAD && it.address <= address && address < it.address + it.size,
	);
	if (!segment) throw new Error(`no segment has the address ${address}`);
	return segment.offset + address - segment.address;
}

/** Reads the list of needed libraries, each with a list of versions. The lists are linked by distances in bytes. */
function readVersions(bytes, start, count, strings) {
	const versions = [];
	for (const at of linkedList(bytes, start, count)) {
		const first = at + bytes.readUInt32LE(at + 8);
		for (const entry of linkedList(bytes, first, bytes.readUInt16LE(at + 2)))
			versions.push(stringAt(bytes, strings + bytes.readUInt32LE(entry + 8)));
	}
	return versions;
}

/** Returns the places of a list, whose entries each have the distance to the next one. A damaged list may stand still for ever. */
function* linkedList(bytes, start, count) {
	for (let at = start, left = count; left > 0; left--) {
		yield at;
		const distance = bytes.readUInt32LE(at + 12);
		if (distance === 0 && left > 1) throw new Error("a list of versions ends too early");
		at += distance;
	}
}

function stringAt(bytes, start) {
	const end = bytes.indexOf(0, start);
	if (end < 0) throw new Error("a string has no end");
	return bytes.toString("latin1", start, end);
}
