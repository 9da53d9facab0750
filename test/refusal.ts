import type { FileDescriptor } from "@nearfar/core";
import { adoptDescriptor } from "@nearfar/core/internal";
import { expect } from "vitest";

/** Matches an error by what tests assert of it: its code and its system call, never its message. */
export function refused(code: string, syscall: string) {
	return expect.objectContaining({ code, syscall });
}

/** Returns the error that a call throws. */
export function refusal(fn: () => unknown): NodeJS.ErrnoException {
	try {
		fn();
	} catch (error) {
		return error as NodeJS.ErrnoException;
	}
	return {} as NodeJS.ErrnoException;
}

/** Returns a descriptor of the current task whose number is not open. */
export function neverOpen<T>(use: (fd: FileDescriptor) => T): T {
	const fd = adoptDescriptor(999);
	try {
		return use(fd);
	} finally {
		fd.take();
	}
}
