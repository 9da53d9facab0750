import {
	type FileDescriptor,
	IdMap,
	type IdMaps,
	NearfarError,
	SyscallError,
	subordinateIds,
	Task,
} from "@nearfar/core";
import { type Mount, mountSetattr, openTree } from "@nearfar/mount";
import { userNamespace } from "@nearfar/namespaces";
import { SandboxError } from "../errors.ts";
import { sameFile } from "../paths/given.ts";
import type { Node } from "../paths/layout.ts";

/** What maps the ids of a sandbox of root. */
export interface RootIds {
	readonly maps: IdMaps;
	/** The user id outside. */
	readonly uid: number;
	/** Shows the files of user 0 as those of the sandbox, and stores the files of the sandbox as those of user 0. */
	readonly namespace: FileDescriptor;
}

/** The kernel shows the files of a tree with no other owners. */
export class IdMapError extends SandboxError {}

const OR_FALLBACK = '. Where weaker is acceptable: rootFallback: "uid0"';

let ids: Promise<RootIds> | undefined;
let known: RootIds | undefined;

/** Returns the ids of sandboxes of root, if they are chosen already. */
export function knownRootIds(): RootIds | undefined {
	return known;
}

/** Returns the ids of sandboxes of root: host id 0 is not among them. They are chosen once in a process. */
export function rootIds(): Promise<RootIds> {
	ids ??= chooseIds().catch((error) => {
		ids = undefined;
		throw error;
	});
	return ids;
}

async function chooseIds(): Promise<RootIds> {
	const [uid, gid] = [await spareId("uids"), await spareId("gids")];
	const one = (outside: number) => [{ inside: 0, outside, count: 1 }];
	const maps: IdMaps = { uids: one(uid), gids: one(gid) };
	const namespace = await userNamespace(maps).catch((error: unknown) => {
		if (!(error instanceof NearfarError)) throw error;
		throw new SandboxError("UNAVAILABLE", `cannot make a sandbox as root: ${error.message}`, {
			cause: error,
			step: "ids",
			hint: "root needs CAP_SETUID and CAP_SETGID to map an id for the programs: start Node with them, or as an ordinary user",
		});
	});
	known = { maps, uid, namespace };
	return known;
}

/** Returns an id that belongs to nobody: the last of root's subordinate ids, else the highest that this process can map. */
async function spareId(kind: "uids" | "gids"): Promise<number> {
	const subordinate = (await subordinateIds())[kind].at(-1);
	if (subordinate) return subordinate.start + subordinate.count - 1;
	const mapped = Task.near.run(() => IdMap.of(Task.near.process, kind).mappings);
	const highest = Math.max(...mapped.map(({ inside, count }) => inside + count - 1));
	if (highest > 0) return highest;
	throw new SandboxError(
		"UNAVAILABLE",
		"cannot make a sandbox as root: root is the only id in this user namespace, and none is left for the sandbox",
		{
			step: "ids",
			hint: `start Node as an ordinary user, or in a user namespace that maps more ids than 0${OR_FALLBACK}`,
		},
	);
}

/** Copies a tree of the host so that root's files are those of the sandbox. Called in this process. */
export function idMappedTree({ path, kind, found }: Node, { namespace }: RootIds): Mount {
	const step = `${kind} ${path}`;
	try {
		const tree = openTree(path, { flags: ["clone", "recursive"] });
		return unlessClosed(tree, () => {
			if (found && !sameFile(tree, found)) {
				throw new SandboxError("PATH", `cannot show ${path}: another file has taken its place meanwhile`, { step });
			}
			mountSetattr(tree, { userns: namespace, recursive: true });
		});
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		const message = `cannot make ${path} writable for a sandbox of root: ${error.message}`;
		if (error.syscall !== "mount_setattr") {
			const hint =
				error.code === "EPERM"
					? "root needs CAP_SYS_ADMIN to show files with other owners: start Node with it, or as an ordinary user"
					: undefined;
			throw new SandboxError("UNAVAILABLE", message, { cause: error, step, ...(hint && { hint }) });
		}
		throw new IdMapError("UNAVAILABLE", message, { cause: error, step, hint: `${hintForIdMap(error)}${OR_FALLBACK}` });
	}
}

/** Returns a tree when `prepare` has succeeded, and closes it otherwise. */
function unlessClosed(tree: Mount, prepare: () => void): Mount {
	try {
		prepare();
		return tree;
	} catch (error) {
		tree.close();
		throw error;
	}
}

function hintForIdMap({ code }: SyscallError): string {
	if (code === "EINVAL") {
		return "the file system cannot show its files with other owners, as an overlay that is the root of a container, or a tmpfs before Linux 6.3: use a directory on another file system, such as a volume, or start Node as an ordinary user";
	}
	if (code === "EPERM") {
		return "the file system belongs to another user namespace, as the root of a rootless container: use a tmpfs of this container, or start Node as an ordinary user";
	}
	return `mount_setattr(2) answers ${code}, and Linux 5.12 is needed`;
}
