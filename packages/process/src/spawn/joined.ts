import { type FileDescriptor, Task } from "@nearfar/core";
import { hintForNoNamespace, namespaceFlag, namespaceFlags, numberOf } from "@nearfar/core/internal";

/**
 * Returns whether a namespace of this kind is among descriptors of this process.
 *
 * @param kind - A name of the table of namespaces.
 */
export function joinsNamespace(join: readonly FileDescriptor[], kind: keyof typeof namespaceFlags): boolean {
	return Task.near.run(() => join.some((fd) => kindOf(fd) === namespaceFlags[kind]));
}

/** Returns the hint about a descriptor of this process that could not be joined, if it is no namespace. The task has ended by now. */
export function hintForJoin(fd: FileDescriptor | undefined): string | undefined {
	return fd && Task.near.run(() => (kindOf(fd) === undefined ? hintForNoNamespace(fd) : undefined));
}

function kindOf(fd: FileDescriptor): number | undefined {
	try {
		return namespaceFlag(numberOf(fd));
	} catch {
		return undefined; // setns(2) reports what is wrong with the descriptor
	}
}
