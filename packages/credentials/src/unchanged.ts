import { integer } from "@nearfar/core/internal";

const UNCHANGED = 2 ** 32 - 1; // (uid_t) -1, which the kernel reads as "leave it"

/** Converts an id to set into the number that the kernel takes; -1 means that the id stays as it is. */
export function idOrUnchanged(value: number, name: string): number {
	const id = integer(value, name, -1, UNCHANGED - 1);
	return id === -1 ? UNCHANGED : id;
}
