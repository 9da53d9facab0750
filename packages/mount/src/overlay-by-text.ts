import { FileDescriptor, Location, type LocationLike, openat2, SyscallError } from "@nearfar/core";
import { mountAttributes, mountFlags, native, numberOf } from "@nearfar/core/internal";
import { attributeWords } from "./attributes.ts";
import { mount } from "./classic.ts";
import { dataOptions } from "./data.ts";
import { fsopen, openDirectory, type Parameter } from "./fs-context.ts";
import type { CreateOptions } from "./mounted.ts";

/** The answers to a layer by descriptor. Before Linux 6.5 overlayfs takes no parameter by descriptor at all, which is EOPNOTSUPP. */
const refusals: ReadonlySet<string> = new Set(["EINVAL", "EOPNOTSUPP"]);

/** What the kernel answered to the probe. `undefined`: there was no answer about layers by descriptor yet. */
let known: boolean | undefined;

/**
 * Returns false where the kernel, before Linux 6.13, takes no layers by descriptor. The first call opens a context in the current
 * task and gives the root to it. Where the task may not open one, the answer is true, so that the caller meets the reason.
 */
export function takesDescriptors(): boolean {
	if (known !== undefined) return known;
	try {
		using context = fsopen("overlay");
		using root = openDirectory("/");
		context.setFd("lowerdir+", root);
		known = true;
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		if (error.syscall !== "fsconfig" || !refusals.has(error.code)) return true;
		known = false;
	}
	return known;
}

/** The attributes that mount(2) can set while it makes a mount, and their flags. */
const flagsOfAttributes = [
	[mountAttributes.rdonly, mountFlags.rdonly],
	[mountAttributes.nosuid, mountFlags.nosuid],
	[mountAttributes.nodev, mountFlags.nodev],
	[mountAttributes.noexec, mountFlags.noexec],
	[mountAttributes.nosymfollow, mountFlags.nosymfollow],
	[mountAttributes.nodiratime, mountFlags.nodiratime],
	[mountAttributes.noatime, mountFlags.noatime],
	[mountAttributes.strictatime, mountFlags.strictatime],
] as const;

/** Returns the flags of mount(2) for attributes. `undefined`: some of them can be set on a detached mount alone. */
export function flagsFor({ set, clear, atime, propagation, userns }: CreateOptions): number | undefined {
	if (propagation !== undefined || userns !== undefined) return undefined;
	const [asked] = attributeWords({ ...(set !== undefined && { set }), ...(atime !== undefined && { atime }) });
	const [, cleared] = attributeWords(clear === undefined ? {} : { clear });
	let rest = BigInt(asked) | BigInt(cleared);
	let flags = 0;
	for (const [attribute, flag] of flagsOfAttributes) {
		const bit = BigInt(attribute);
		if (BigInt(asked) & ~BigInt(cleared) & bit) flags |= flag;
		rest &= ~bit;
	}
	return rest === 0n ? flags : undefined;
}

/**
 * Mounts an overlay by mount(2), for kernels that take no layers by descriptor. The text of the options names each layer by its
 * descriptor below `/proc/self/fd`, so that nothing is escaped.
 *
 * @param target - The place, opened first, because mount(2) would follow a link at its end.
 * @param parameters - The layers and flags.
 * @param options - `source` and `data`.
 * @param flags - The result of {@link flagsFor}.
 */
export function mountByText(
	target: LocationLike,
	parameters: readonly Parameter[],
	{ source = "overlay", data }: CreateOptions,
	flags: number,
): void {
	const opened: FileDescriptor[] = [];
	const owned = (fd: FileDescriptor) => {
		opened.push(fd);
		return fd;
	};
	try {
		const place = target instanceof FileDescriptor ? target : owned(openPlace(target));
		const paths = (key: string) =>
			parameters.flatMap((part) => {
				if (!("directory" in part) || part.key !== key) return [];
				const { directory } = part;
				const fd = directory instanceof FileDescriptor ? directory : owned(openDirectory(directory));
				return [`/proc/self/fd/${numberOf(fd)}`];
			});
		const dataOnly = paths("datadir+").map((path) => `::${path}`);
		const text = [
			`lowerdir=${paths("lowerdir+").join(":")}${dataOnly.join("")}`,
			...paths("upperdir").map((path) => `upperdir=${path}`),
			...paths("workdir").map((path) => `workdir=${path}`),
			...parameters.flatMap((part) => ("directory" in part ? [] : [part.key])),
			...(data === undefined ? [] : dataOptions(data, "options.data")),
		].join(",");
		// The root of a container can have anything at /proc, such as directories in the place of self/fd/3.
		native().requireProc(`/proc/self/fd/${numberOf(place)}`);
		mount(source, place, "overlay", { flags, data: text });
	} finally {
		for (const fd of opened) fd.close();
	}
}

/** Opens a place to mount on, as move_mount(2) would look it up: a plain path is not followed at its end. */
function openPlace(target: string | Buffer | URL | Location): FileDescriptor {
	return openat2(target, { flags: target instanceof Location ? ["path"] : ["path", "nofollow"] });
}
