import { type FileDescriptor, type LocationLike, SyscallError, statx } from "@nearfar/core";
import { native, numberOf, openOwnProc, toPath, umountFlags, withFile, wrongValue } from "@nearfar/core/internal";
import { isLeftover, openPlace, placeError } from "./pin-place.ts";
import { refuseBatch } from "./refuse-batch.ts";

const NSFS_MAGIC = 0x6e73_6673;

/** Takes a pin away. `Namespace.unpin` documents the function. */
export function unpinNamespace(at: LocationLike): void {
	refuseBatch("take away a pin");
	using place = openPlace(at);
	if (!place) throw wrongValue("at", "a path, or a Location with a path: a file is removed by its name", at);
	withFile(place.text, () => {
		for (let unmounted = 0; ; unmounted++) {
			using file = place.look();
			if (isNamespace(file)) {
				unmount(file, at);
				continue;
			}
			if (unmounted === 0 && !isLeftover(file)) {
				const hint =
					"no namespace is pinned at that place: unpin takes away pins, and the empty files that they leave over";
				throw placeError("EINVAL", "umount2", place.text, hint);
			}
			// A pin on an open file may lie on anything, as on a device, and only the file of a pin is to go.
			if (statx(file, { mask: ["type"] }).type === "file") place.remove();
			return;
		}
	});
}

/** Returns whether an open file is a namespace that is mounted on a file. */
function isNamespace(file: FileDescriptor): boolean {
	if (!statx(file, { mask: ["type"] }).attributes.mountRoot) return false;
	return native().fileSystemType(numberOf(file)) === NSFS_MAGIC;
}

/** Unmounts the mount of an open file. Without a procfs the kernel can reach the mount by its path alone. */
function unmount(file: FileDescriptor, at: LocationLike): void {
	if (hasProc()) native().umount(toPath(file), umountFlags.detach);
	else native().umount(toPath(at), umountFlags.detach | umountFlags.nofollow);
}

function hasProc(): boolean {
	try {
		openOwnProc("self/fd", ["path"]).close();
		return true;
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ENOENT") return false;
		throw error;
	}
}
