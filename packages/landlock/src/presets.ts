import { type LandlockFsRight, landlockFsRights as rights } from "@nearfar/core/internal";

/**
 * A name for several rights on files and directories. A preset never has more than the level of the rules, and on a file it
 * has no rights for directories.
 *
 * - `read`: open files for reading, and list directories.
 * - `run`: `read`, and execute files.
 * - `write`: `read`, and all that makes, changes, renames and removes. Not `execute`, not the making of devices.
 * - `device`: open for reading and writing, truncate, and ioctl(2) on devices.
 * - `all`: every right of the level.
 */
export type LandlockPreset = "read" | "run" | "write" | "device" | "all";

const { execute, readFile, readDir, writeFile, truncate, ioctlDev, resolveUnix, refer } = rights;
const { removeDir, removeFile, makeDir, makeReg, makeSock, makeFifo, makeSym } = rights;
const read = readFile | readDir;
const changes = writeFile | truncate | removeDir | removeFile | refer;

/** The rights of each preset. */
export const presets: Readonly<Record<LandlockPreset, number>> = {
	read,
	run: read | execute,
	write: read | changes | makeDir | makeReg | makeSock | makeFifo | makeSym,
	device: readFile | writeFile | truncate | ioctlDev,
	all: Object.values(rights).reduce<number>((all, right) => all | right, 0),
};

/** The rights that the kernel takes for a file that is no directory. */
export const FILE_RIGHTS = execute | writeFile | readFile | truncate | ioctlDev | resolveUnix;

/** What a rule may name. */
export const allowed: Readonly<Record<LandlockPreset | LandlockFsRight, number>> = { ...rights, ...presets };

/** True for a name that stands for several rights. */
export function isPreset(name: string): name is LandlockPreset {
	return Object.hasOwn(presets, name);
}
