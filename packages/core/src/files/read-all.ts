import type { FileDescriptor } from "./descriptor.ts";

const PIECE = 16_384; // bytes; of a list the kernel returns at most one page, unless one line is longer

/** Reads an open file to its end. For the lists of `/proc`, whose size the kernel does not say. */
export function readAll(file: FileDescriptor): Buffer {
	const pieces: Buffer[] = [];
	for (;;) {
		const piece = file.read(PIECE);
		if (piece.length === 0) return Buffer.concat(pieces);
		pieces.push(piece);
	}
}
