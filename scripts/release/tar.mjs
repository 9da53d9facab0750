// Reads what a package's tarball contains.
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";

const BLOCK = 512;

/** Returns the files of a tarball by their path below "package/", each with its mode and its bytes. */
export function readTarball(compressed) {
	const bytes = gunzipSync(compressed);
	const files = new Map();
	let longName;
	for (let at = 0; at + BLOCK <= bytes.length && bytes[at] !== 0; ) {
		const header = bytes.subarray(at, at + BLOCK);
		const size = Number.parseInt(text(header, 124, 12), 8);
		const content = bytes.subarray(at + BLOCK, at + BLOCK + size);
		at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
		const type = text(header, 156, 1);
		if (type === "x") longName = /(?:^|\n)\d+ path=(.*)\n/.exec(content.toString())?.[1];
		else {
			const name = longName ?? [text(header, 345, 155), text(header, 0, 100)].filter(Boolean).join("/");
			longName = undefined;
			if (type !== "" && type !== "0") throw new Error(`${name} in a tarball is not a regular file`);
			files.set(name.replace(/^package\//, ""), { mode: Number.parseInt(text(header, 100, 8), 8) & 0o777, content });
		}
	}
	return files;
}

/** Returns the paths of the files that are not in both tarballs with the same mode and the same content. */
export function differences(one, other) {
	const [files, others] = [one, other].map((tarball) => readTarball(tarball));
	const isSame = (path) => {
		const [a, b] = [files.get(path), others.get(path)];
		return a && b && a.mode === b.mode && (path === "package.json" ? sameJson : sameBytes)(a.content, b.content);
	};
	return [...new Set([...files.keys(), ...others.keys()])].filter((path) => !isSame(path)).sort();
}

const sameBytes = (one, other) => one.equals(other);

/** pnpm writes the dependencies in the order in which it has read their versions, and that differs from run to run. */
const sameJson = (one, other) => isDeepStrictEqual(...[one, other].map((text) => JSON.parse(text)));

function text(header, from, length) {
	const field = header.subarray(from, from + length);
	const end = field.indexOf(0);
	return field.toString("latin1", 0, end < 0 ? length : end).trim();
}
