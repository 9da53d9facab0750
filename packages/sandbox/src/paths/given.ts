import { homedir } from "node:os";
import { resolve } from "node:path";
import {
	type FileDescriptor,
	type FileType,
	openat2,
	type PathLike,
	readlink,
	SyscallError,
	statx,
} from "@nearfar/core";
import { pathText, wrongValue } from "@nearfar/core/internal";
import { SandboxError } from "../errors.ts";

const ENOENT = 2;

/** A path as an option has it. */
export interface GivenPath {
	/** The option, such as `options.read[0]`. */
	readonly option: string;
	/** The text as it was given, without a `?` at its end. */
	readonly text: string;
	/** The absolute path, with `~` and `..` taken out, and no link followed. */
	readonly path: string;
	/** Whether the path may be missing. */
	readonly optional: boolean;
}

/** A file that a path leads to. */
export interface Found {
	/** The canonical path. */
	readonly path: string;
	readonly type: FileType | undefined;
	readonly device: { readonly major: number; readonly minor: number };
	readonly inode: bigint;
	readonly links: number;
	readonly mode: number;
}

/** Checks a path of an option. */
export function toGiven(value: PathLike, option: string): GivenPath {
	const path = pathText(value, option);
	const whole = typeof path === "string" ? path : Buffer.from(path).toString();
	if (typeof path !== "string" && !Buffer.from(whole).equals(path)) {
		throw wrongValue(option, "a path in UTF-8", value);
	}
	const optional = whole.length > 1 && whole.endsWith("?");
	const text = optional ? whole.slice(0, -1) : whole;
	if (text === "") throw wrongValue(option, "a path, such as . for the working directory", value);
	return { option, text, path: absolute(text), optional };
}

/** Returns the absolute path for a text, in which `~` at the beginning is the home directory. */
export function absolute(text: string): string {
	if (text === "~" || text.startsWith("~/")) return resolve(homedir() + text.slice(1));
	if (text.startsWith("/") || ownFolder() !== undefined) return resolve(text);
	throw new SandboxError(
		"PATH",
		`cannot look for "${text}", which counts from the working directory of this process: that does not exist any more. Give an absolute path, or call process.chdir`,
	);
}

/** Returns the working directory of this process. `undefined`: it was removed, or cannot be reached. */
export function ownFolder(): string | undefined {
	try {
		return process.cwd();
	} catch (error) {
		if ((error as NodeJS.ErrnoException).syscall !== "uv_cwd") throw error;
		return undefined;
	}
}

/** Opens a path and returns what is there. `undefined`: nothing, and the path may be missing. */
export function find({ option, text, path, optional }: GivenPath): Found | undefined {
	const found = look(path);
	if (found instanceof SyscallError) {
		if (optional && (found.code === "ENOENT" || found.code === "ENOTDIR")) return undefined;
		const missing =
			found.code === "ENOENT"
				? "does not exist: add a ? to its end where it may be missing"
				: `cannot be opened: ${found.code}`;
		throw new SandboxError("PATH", `cannot show "${text}" of ${option}: ${path} ${missing}`, { cause: found });
	}
	return found;
}

/** Opens a path and returns what is there, or why it cannot be opened. */
export function look(path: string): Found | SyscallError {
	try {
		using file = openat2(path, { flags: ["path"] });
		const { type, dev, ino = 0n, nlink = 1, mode = 0 } = statx(file, { mask: ["type", "mode", "nlink", "ino"] });
		const canonical = readlink(`/proc/self/fd/${file.fd}`);
		// A link of a procfs may lead to a pipe or a socket, which has no path.
		if (!canonical.startsWith("/"))
			throw new SyscallError({ code: "ENOENT", errno: ENOENT, syscall: "openat2" }, { path });
		return { path: canonical, type, device: dev, inode: ino, links: nlink, mode };
	} catch (error) {
		if (error instanceof SyscallError) return error;
		throw error;
	}
}

/** Returns whether a descriptor is of the file that was found. */
export function sameFile(file: FileDescriptor, { device, inode }: Pick<Found, "device" | "inode">): boolean {
	const { dev, ino } = statx(file, { mask: ["ino"] });
	return ino === inode && dev.major === device.major && dev.minor === device.minor;
}
