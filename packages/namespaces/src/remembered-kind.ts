import { type FileDescriptor, type NamespaceKind, type OpenFile, SyscallError } from "@nearfar/core";
import { namespaceFlag, numberOf, taskOf } from "@nearfar/core/internal";
import { kindsOf } from "./kinds.ts";

const EINVAL = 22;

// By open file, because all copies of a descriptor, in every task, are the same namespace.
const kinds = new WeakMap<OpenFile, NamespaceKind>();
const expected = new WeakMap<OpenFile, NamespaceKind>();

/** Notes the kind of a namespace that a call has opened by its kind. */
export function rememberKind(fd: FileDescriptor, kind: NamespaceKind): void {
	kinds.set(fd.file, kind);
}

/** Notes the kind that a namespace has to have, which a batch opens and cannot ask for its kind. */
export function expectKind(fd: FileDescriptor, kind: NamespaceKind): void {
	expected.set(fd.file, kind);
}

/** Returns the kind of a namespace if it is known. */
export function rememberedKind(fd: FileDescriptor): NamespaceKind | undefined {
	return kinds.get(fd.file);
}

/** Returns the kind that a namespace has, or has to have, as far as that is known without asking the kernel. */
export function expectedKind(fd: FileDescriptor): NamespaceKind | undefined {
	return kinds.get(fd.file) ?? expected.get(fd.file);
}

/**
 * Asks the kernel for the kind of a namespace of the current task, and remembers it.
 *
 * @throws `ENOTTY` The descriptor is no namespace.
 */
export function askKind(fd: FileDescriptor): NamespaceKind {
	const flag = namespaceFlag(numberOf(fd));
	const [kind] = kindsOf(flag);
	if (kind === undefined) {
		const words = `the kind of the namespace is unknown: 0x${flag.toString(16)}`;
		throw new SyscallError({ code: "EINVAL", errno: EINVAL, syscall: "ioctl", words }, taskOf());
	}
	rememberKind(fd, kind);
	return kind;
}
