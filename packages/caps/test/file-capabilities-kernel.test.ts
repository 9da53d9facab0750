import { chownSync } from "node:fs";
import { BatchError, type IdMaps, Location, mkdir, mknod, openat2, type SyscallError, Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";
import { setresgid, setresuid } from "@nearfar/credentials";
import { mount, mountSetattr } from "@nearfar/mount";
import { describe, expect, test, vi } from "vitest";
import { has, isRoot, needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { neverOpen, refusal, refused } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { CapabilitySet, capset, fileCapabilities } from "../src/index.ts";
import { farPlace, makeFile, nearPlace } from "./file-place.ts";

const { read, write, remove } = fileCapabilities;
const netRaw = { permitted: ["netRaw"] } as const;
const file = "/tmp/file";
const AT_FDCWD = -100;

/** Returns the id map in which one id of a user namespace is an id of this process. */
function idMap(inside: number, outside = process.geteuid?.() ?? 0, outsideGroup = process.getegid?.() ?? 0): IdMaps {
	return {
		uids: [{ inside, outside, count: 1 }],
		gids: [{ inside, outside: outsideGroup, count: 1 }],
	};
}

/** Returns what a call throws, with its hint. */
const failure = (fn: () => unknown) => refusal(fn) as SyscallError;

describe("in a batch", () => {
	test("write is collected, also for what the batch makes", async () => {
		await using place = await farPlace();
		await place.task.batch(() => {
			using made = openat2("/tmp/made", { flags: ["creat", "wronly"], mode: 0o755 });
			write(made, netRaw);
			write(file, "cap_kill=p");
		});
		expect(place.run(() => [read("/tmp/made")?.permitted, read(file)?.permitted].map(String))).toEqual([
			"netRaw",
			"kill",
		]);
	});

	needs("Linux 6.13").test(
		"write is collected for a path that begins at a directory that the batch opens",
		async () => {
			await using place = await farPlace();
			await place.task.batch(() => {
				using folder = openat2("/tmp", { flags: ["path", "directory"] });
				write(new Location(folder, "link"), { ...netRaw, rootId: 0 });
			});
			expect(place.run(() => read(file))).toMatchObject({ permitted: CapabilitySet.from(["netRaw"]) });
		},
	);

	test("write does not ask for the type of the file: the kernel takes a folder, and a link itself", async () => {
		await using place = await farPlace();
		await place.task.batch(() => {
			write("/tmp/folder", netRaw);
			write(new Location(undefined, "/tmp/link", { symlinks: false }), netRaw);
		});
		expect(place.run(() => read("/tmp/folder"))).toMatchObject({ version: 2 });
		expect(place.run(() => [read(file), remove("/tmp/folder")])).toEqual([undefined, true]);
	});

	test("read and remove return values: BatchError, and nothing is done", async () => {
		await using place = await farPlace();
		place.run(() => write(file, netRaw));
		for (const call of [read, remove]) {
			const batch = place.task.batch(() => {
				mkdir("/tmp/never");
				call(file);
			});
			await expect(batch).rejects.toThrow(BatchError);
		}
		place.run(() => {
			expect(read(file)).toBeDefined();
			expect(() => openat2("/tmp/never")).toThrow(refused("ENOENT", "openat2"));
		});
	});

	test("a refusal names the step", async () => {
		await using place = await farPlace();
		const batch = place.task.batch(() => {
			mkdir("/tmp/first");
			write(file, { rootId: 77 });
		});
		await expect(batch).rejects.toMatchObject({ code: "EINVAL", syscall: "setxattr", path: file, step: 1 });
	});
});

describe("root ids", () => {
	needs("root").test("a root id is stored as version 3, and 0 comes back as version 2", async () => {
		await using place = nearPlace();
		write(place.at("file"), { ...netRaw, rootId: 1000 });
		expect(read(place.at("file"))).toMatchObject({ version: 3, rootId: 1000 });
		write(place.at("file"), { ...netRaw, rootId: 0 });
		expect(read(place.at("file"))).toMatchObject({ version: 2, rootId: undefined });
	});

	test("in a user namespace version 2 is stored as version 3 with the id of its user 0", async () => {
		await using place = nearPlace();
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		task.run(() => write(place.at("file"), netRaw));
		expect(task.run(() => read(place.at("file")))).toMatchObject({ version: 2, rootId: undefined });
		const outside = isRoot ? { version: 2, rootId: undefined } : { version: 3, rootId: process.geteuid?.() };
		expect(read(place.at("file"))).toMatchObject(outside);
	});

	test("each user namespace sees the root id as it counts ids; where the id means nothing, read is EOVERFLOW", async () => {
		await using place = nearPlace();
		const [uid, gid] = isRoot ? [10_000, 10_000] : [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
		if (isRoot) chownSync(place.at("file"), uid, gid);
		await using task = await Task.clone({ namespaces: ["user"], idMap: idMap(0, uid, gid) });
		task.run(() => write(place.at("file"), netRaw));
		expect(read(place.at("file"))).toMatchObject({ version: 3, rootId: uid });
		await using shifted = await Task.clone({ namespaces: ["user"], idMap: idMap(5, uid, gid) });
		expect(shifted.run(() => read(place.at("file")))).toMatchObject({ version: 3, rootId: 5 });
		await using without = await Task.clone({ namespaces: ["user"], idMap: "none" });
		const error = failure(() => without.run(() => read(place.at("file"))));
		expect(error).toMatchObject({ code: "EOVERFLOW", syscall: "getxattr", path: place.at("file") });
		expect(error.hint).toContain("user namespace");
		task.run(() => {
			setresgid(0, 0, 0);
			setresuid(0, 0, 0);
		});
		await using inner = await task.clone({ namespaces: ["user"], idMap: "root" });
		expect(inner.run(() => read(place.at("file")))).toMatchObject({ version: 2, rootId: undefined });
	});

	test("a root id that the user namespace does not map is EINVAL", async () => {
		await using place = await farPlace();
		for (const rootId of [1, 1000, 4294967294]) {
			const error = failure(() => place.run(() => write(file, { ...netRaw, rootId })));
			expect(error).toMatchObject({ code: "EINVAL", syscall: "setxattr", path: file });
			expect(error.hint).toContain("root id");
		}
	});
});

describe("EPERM names CAP_SETFCAP", () => {
	const expectRefusal = (error: SyscallError, syscall: string) => {
		expect(error).toMatchObject({ code: "EPERM", syscall });
		expect(error.hint).toContain("CAP_SETFCAP");
	};
	const expectBothRefused = (path: string) => {
		expectRefusal(
			failure(() => write(path, netRaw)),
			"setxattr",
		);
		// Before Linux 6.10 the kernel does not ask for CAP_SETFCAP here if the BPF security module is loaded.
		if (!has("Linux 6.10")) return;
		expectRefusal(
			failure(() => remove(path)),
			"removexattr",
		);
	};

	needs("an ordinary user").test("near, for the owner of the file", async () => {
		await using place = nearPlace();
		expectBothRefused(place.at("file"));
		using open = openat2(place.at("file"));
		expectRefusal(
			failure(() => write(open, netRaw)),
			"fsetxattr",
		);
		expectRefusal(
			failure(() => remove(new Location(undefined, place.at("file"), { symlinks: false }))),
			"lremovexattr",
		);
		expect(read(place.at("file"))).toBeUndefined();
	});

	test("for an ordinary user that owns the file", async () => {
		await using place = nearPlace();
		if (isRoot) chownSync(place.at("file"), 1000, 1000);
		await using task = await Task.clone();
		becomeOrdinary(task);
		task.run(() => {
			expectBothRefused(place.at("file"));
			expect(read(place.at("file"))).toBeUndefined();
		});
	});

	test("where the capability is permitted and not effective", async () => {
		await using place = await farPlace();
		place.run(() => {
			capset({ effective: [], permitted: ["setfcap"], inheritable: [] });
			expectRefusal(
				failure(() => write(file, netRaw)),
				"setxattr",
			);
			capset({ effective: ["setfcap"] });
			write(file, netRaw);
			expect(remove(file)).toBe(true);
		});
	});

	needs("root").test("of a user namespace that does not map the owner of the file", async () => {
		await using place = nearPlace();
		chownSync(place.at("file"), 10_000, 10_000);
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		task.run(() => {
			expectBothRefused(place.at("file"));
		});
	});
});

test("a named pipe and a socket block nothing: they have no capabilities, and get none", async () => {
	await using place = await farPlace();
	place.run(() => {
		for (const type of ["fifo", "socket"] as const) {
			const path = `/tmp/${type}`;
			mknod(path, type);
			expect(read(path)).toBeUndefined();
			expect(failure(() => write(path, netRaw))).toMatchObject({ code: "EINVAL", path });
			expect(remove(path)).toBe(false);
		}
	});
});

test("what was read from one file can be written to another", async () => {
	await using place = await farPlace();
	place.run(() => {
		makeFile("/tmp/other");
		for (const text of ["cap_net_raw,cap_kill=ep", "cap_chown=i", "="]) {
			write(file, text);
			const capabilities = read(file);
			if (capabilities) write("/tmp/other", capabilities);
			expect([read("/tmp/other"), capabilities?.version]).toEqual([capabilities, 2]);
		}
	});
});

test("the kernel takes no version 1, no other length and no unknown flag: EINVAL", async () => {
	await using place = await farPlace();
	const set = (...words: number[]) => {
		const bytes = new Uint8Array(new Uint32Array(words).buffer);
		place.run(() => native().setxattr(AT_FDCWD, file, 0, "security.capability", bytes));
	};
	for (const words of [
		[0x0100_0001, 0x20, 0],
		[0x0200_0001, 0x20, 0],
		[0x0200_0001, 0x20, 0, 0, 0, 0],
		[0x0300_0001, 0x20, 0, 0, 0],
		[0x0200_0002, 0x20, 0, 0, 0],
		[0x0400_0000, 0x20, 0, 0, 0, 0],
		[0x0200_0001],
	]) {
		expect(() => set(...words)).toThrow(refused("EINVAL", "setxattr"));
	}
	set(0x0200_0001, 0x20, 0, 0, 0);
	expect(place.run(() => read(file))).toMatchObject({ permitted: CapabilitySet.from(["kill"]), version: 2 });
});

test("an answer of an unknown version is EINVAL with the path, and never half a set", () => {
	const answer = vi.spyOn(native(), "getxattr");
	try {
		for (const bytes of [Buffer.alloc(0), Buffer.alloc(24), Buffer.from([1, 0, 0, 2]), Buffer.alloc(20, 0xff)]) {
			answer.mockReturnValueOnce(bytes);
			expect(failure(() => read("/etc"))).toMatchObject({ code: "EINVAL", syscall: "getxattr", path: "/etc" });
		}
	} finally {
		answer.mockRestore();
	}
});

test("a read-only file system is EROFS, and can be read", async () => {
	await using place = await farPlace();
	place.run(() => {
		write(file, netRaw);
		using open = openat2(file);
		mountSetattr("/tmp", { set: ["rdonly"] });
		expect(() => write(file, netRaw)).toThrow(refused("EROFS", "setxattr"));
		expect(() => write(open, netRaw)).toThrow(refused("EROFS", "fsetxattr"));
		expect(() => remove(file)).toThrow(refused("EROFS", "removexattr"));
		expect(read(file)).toBeDefined();
	});
});

test("a file system without extended attributes is EOPNOTSUPP", async () => {
	await using place = await farPlace();
	place.run(() => {
		mount("scratch", "/tmp", "ramfs");
		makeFile(file);
		for (const call of [() => read(file), () => write(file, netRaw), () => remove(file)]) {
			const error = failure(call);
			expect(error).toMatchObject({ code: "EOPNOTSUPP", path: file });
			expect(error.hint).toContain("file system");
		}
	});
});

test("without getxattrat and its kin, paths and open files keep working, and the rest is ENOSYS", async () => {
	await using place = await farPlace();
	const ENOSYS = 38;
	for (const call of [463, 464, 466]) forbid(place.task, call, ENOSYS);
	place.run(() => {
		using tmp = openat2("/tmp", { flags: ["path", "directory"] });
		using open = openat2(file);
		const link = new Location(undefined, file, { symlinks: false });
		for (const place of [file, open, new Location(open), link, new Location(tmp, file)]) {
			write(place, netRaw);
			expect([read(place)?.version, remove(place)]).toEqual([2, true]);
		}
		const below = new Location(tmp, "file");
		for (const [call, syscall] of [
			[() => read(below), "getxattrat"],
			[() => write(below, netRaw), "setxattrat"],
			[() => remove(below), "removexattrat"],
		] as const) {
			const error = failure(call);
			expect(error).toMatchObject({ code: "ENOSYS", syscall, path: "file" });
			expect(error.hint).toContain("6.13");
		}
	});
});

test.each([
	["read(1)", () => read(1 as never), "ERR_INVALID_ARG_TYPE"],
	['read("a\\0")', () => read("a\0"), "ERR_INVALID_ARG_VALUE"],
	["remove(undefined)", () => remove(undefined as never), "ERR_INVALID_ARG_TYPE"],
	["write(file, undefined)", () => write(file, undefined as never), "ERR_INVALID_ARG_TYPE"],
	["write(file, null)", () => write(file, null as never), "ERR_INVALID_ARG_TYPE"],
	["write(file, 5)", () => write(file, 5 as never), "ERR_INVALID_ARG_TYPE"],
	["write(file, [])", () => write(file, [] as never), "ERR_INVALID_ARG_TYPE"],
	["an option that is none", () => write(file, { permited: [] } as never), "ERR_INVALID_ARG_VALUE"],
	["a name that is none", () => write(file, { permitted: ["cap_kill" as "kill"] }), "ERR_INVALID_ARG_VALUE"],
	["a text in place of names", () => write(file, { inheritable: "cap_kill" as never }), "ERR_INVALID_ARG_TYPE"],
	["a null set", () => write(file, { permitted: null as never }), "ERR_INVALID_ARG_TYPE"],
	["a number that is no capability", () => write(file, { permitted: [64] }), "ERR_OUT_OF_RANGE"],
	["bits that are too many", () => write(file, { inheritable: 1n << 64n }), "ERR_OUT_OF_RANGE"],
	["effective: 1", () => write(file, { effective: 1 as never }), "ERR_INVALID_ARG_TYPE"],
	["rootId: -1", () => write(file, { rootId: -1 }), "ERR_OUT_OF_RANGE"],
	["rootId: 2 ** 32 - 1", () => write(file, { rootId: 2 ** 32 - 1 }), "ERR_OUT_OF_RANGE"],
	['rootId: "0"', () => write(file, { rootId: "0" as never }), "ERR_INVALID_ARG_TYPE"],
	["a text of no known form", () => write(file, "cap_kill"), "ERR_INVALID_ARG_VALUE"],
	[
		"a text in which a part is effective",
		() => write(file, "cap_kill,cap_chown=p cap_kill+e"),
		"ERR_INVALID_ARG_VALUE",
	],
	["a text in which more is effective", () => write(file, "cap_kill=ep cap_chown=e"), "ERR_INVALID_ARG_VALUE"],
	["a text in which only the effective set is not empty", () => write(file, "cap_kill=e"), "ERR_INVALID_ARG_VALUE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(refusal(call).code).toBe(code);
});

test("a descriptor of another table, and one that is closed, reach no kernel", async () => {
	await using place = await farPlace();
	const closed = openat2("/");
	closed.close();
	for (const call of [read, remove, (fd: typeof closed) => write(fd, netRaw)]) {
		expect(refusal(() => call(closed)).code).toBe("ERR_NEARFAR_CLOSED");
		expect(refusal(() => call(new Location(closed, "etc") as never)).code).toBe("ERR_NEARFAR_CLOSED");
		using near = openat2("/");
		expect(refusal(() => place.run(() => call(near))).code).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
	}
	place.run(() => neverOpen((fd) => expect(() => read(fd)).toThrow(refused("EBADF", "fgetxattr"))));
});
