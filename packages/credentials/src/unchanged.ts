import { id } from "@nearfar/core/internal";

const KERNELS_UNCHANGED = 2 ** 32 - 1;

/** An id to set, or -1: it stays as it is. */
export function idOrUnchanged(value: number, name: string): number {
	return value === -1 ? KERNELS_UNCHANGED : id(value, name);
}
