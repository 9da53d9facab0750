import { integer } from "@nearfar/core/internal";

const UNCHANGED = 2 ** 32 - 1; // the kernel's

/** An id to set, or -1: it stays as it is. */
export function idOrUnchanged(value: number, name: string): number {
	const id = integer(value, name, -1, UNCHANGED - 1);
	return id === -1 ? UNCHANGED : id;
}
