import { type FileDescriptor, Task } from "@nearfar/core";
import { namespaceFlag, namespaceFlags, numberOf } from "@nearfar/core/internal";

/**
 * Returns whether a namespace of this kind is among descriptors of this process.
 *
 * @param kind - A name of the table of namespaces.
 */
export function joinsNamespace(join: readonly FileDescriptor[], kind: keyof typeof namespaceFlags): boolean {
	return Task.near.run(() => join.some((fd) => kindOf(fd) === namespaceFlags[kind]));
}

function kindOf(fd: FileDescriptor): number | undefined {
	try {
		return namespaceFlag(numberOf(fd));
	} catch {
		return undefined; // setns(2) reports what is wrong with the descriptor
	}
}
