import { atFlags, statxMask } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { type FileDescriptor, numberOf } from "../files/descriptor.ts";

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

/**
 * Returns the hint about a descriptor of the current task that is no namespace. An empty file is what a pin leaves behind, and also what
 * another process pins a namespace on at this moment.
 */
export function hintForNoNamespace(fd: FileDescriptor): string {
	return isEmptyFile(fd)
		? "the descriptor is no namespace: its file is empty and may be left over from a namespace that was pinned there, and `Namespace.unpin` removes it"
		: "the descriptor is no namespace";
}

/** Returns whether a file is empty and regular, as the file is that a pin is made on. */
function isEmptyFile(fd: FileDescriptor): boolean {
	const status = native().statx(numberOf(fd), "", atFlags.emptyPath, statxMask.type | statxMask.size);
	return (status.readUInt16LE(28) & S_IFMT) === S_IFREG && status.readBigUInt64LE(40) === 0n; // stx_mode, stx_size
}
