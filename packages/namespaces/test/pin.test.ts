import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dropCapabilities } from "@nearfar/caps";
import { Location, mknod, openat2, type Task } from "@nearfar/core";
import { mount, umount } from "@nearfar/mount";
import { Namespace, type NamespaceKind, sethostname, setns } from "@nearfar/namespaces";
import { describe, expect, test } from "vitest";
import { runFixtureIn } from "../../../test/fixture-in-task.ts";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid, killAt } from "../../../test/seccomp.ts";
import { pinBoard } from "./pin-board.ts";
import { arm64, hostnameIn, SYS_ioctl } from "./tasks.ts";

const [EPERM, EMFILE, ENOTTY] = [1, 24, 25];
const NS_GET_MNTNS_ID = 0x8008_b705;
const [SYS_open_tree, SYS_move_mount] = [428, 429];

describe("pin", () => {
	test("NST-42 a pinned namespace outlives its processes, and can be joined", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		const home = await task.clone({ namespaces: ["uts"] });
		home.run(() => {
			sethostname("kept");
			using own = Namespace.current("uts");
			own.pin(at("uts"));
		});
		await home.exit();
		await using guest = await task.clone();
		guest.run(() => {
			using uts = openat2(at("uts"));
			setns(uts, ["uts"]);
		});
		expect(hostnameIn(guest)).toBe("kept");
		expect(board.mounts()).toEqual([at("uts")]);
		task.run(() => Namespace.unpin(at("uts")));
		expect([board.mounts(), board.names()]).toEqual([[], []]);
	});

	test.each(["cgroup", "ipc", "net", "pid", "time", "user", "uts"] satisfies NamespaceKind[])(
		"a namespace of the kind %s is pinned and taken away",
		async (kind) => {
			await using board = await pinBoard();
			board.task.run(() => {
				using own = Namespace.current(kind);
				own.pin(board.at(kind));
				using pinned = openat2(board.at(kind));
				expect(pinned.file).not.toBe(own.file);
				Namespace.unpin(board.at(kind));
			});
			expect([board.mounts(), board.names()]).toEqual([[], []]);
		},
	);

	test("the file has mode 0444, or the mode that was asked for", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		task.run(() => {
			using own = Namespace.current("uts");
			own.pin(at("a"));
			own.pin(at("b"), { mode: 0 });
			for (const name of ["a", "b"]) umount(at(name));
		});
		const modes = ["a", "b"].map((name) => lstatSync(board.outside(name)).mode & 0o7777);
		expect(modes).toEqual([0o444, 0]);
	});

	test("neutron #59: an empty file that something left over is used again, and a pin is EEXIST", async () => {
		await using board = await pinBoard();
		writeFileSync(board.outside("left"), "");
		board.task.run(() => {
			using own = Namespace.current("uts");
			own.pin(board.at("left"));
			const again = refusal(() => own.pin(board.at("left")));
			expect(again).toMatchObject({ code: "EEXIST", path: board.at("left") });
		});
		expect(board.mounts()).toEqual([board.at("left")]);
	});

	test("a file with content, a directory, a link, a FIFO and a mount are EEXIST, and stay as they are", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		writeFileSync(board.outside("full"), "content");
		mkdirSync(board.outside("folder"));
		writeFileSync(board.outside("empty"), "");
		symlinkSync("empty", board.outside("link"));
		symlinkSync("nowhere", board.outside("dangling"));
		spawnSync("mkfifo", [board.outside("fifo")]);
		writeFileSync(board.outside("mounted"), "");
		task.run(() => mount(at("empty"), at("mounted"), null, { flags: ["bind"] }));
		const [names, mounts] = [board.names(), board.mounts()];
		task.run(() => {
			using own = Namespace.current("uts");
			for (const name of ["full", "folder", "folder/", "link", "dangling", "fifo", "mounted", "folder/."])
				expect([name, refusal(() => own.pin(at(name)))]).toMatchObject([name, { code: "EEXIST" }]);
			expect(refusal(() => own.pin(at("missing/name")))).toMatchObject({
				code: "ENOENT",
				syscall: "openat2",
				path: at("missing/name"),
			});
		});
		expect([board.names(), board.mounts()]).toEqual([names, mounts]);
	});

	test("an open file is used, and is never stacked either", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		writeFileSync(board.outside("file"), "");
		writeFileSync(board.outside("other"), "");
		task.run(() => {
			using own = Namespace.current("uts");
			using file = openat2(at("file"));
			own.pin(file);
			expect(board.mounts()).toEqual([at("file")]);
			expect(refusal(() => own.pin(file)).code).toBe("EEXIST");
			using pinned = openat2(at("file"));
			expect(refusal(() => own.pin(pinned)).code).toBe("EEXIST");
			expect(board.mounts()).toEqual([at("file")]);
			using other = openat2(at("other"), { flags: ["path"] });
			own.pin(new Location(other));
		});
		expect(board.mounts()).toEqual([at("file"), at("other")]);
	});

	test("a pin by a Location and by a relative path lies in that directory", async () => {
		await using board = await pinBoard();
		board.task.run(() => {
			using own = Namespace.current("uts");
			using folder = openat2(board.at(), { flags: ["path", "directory"] });
			own.pin(new Location(folder, "there"));
			own.pin(Buffer.from(board.at("bytes")));
			Namespace.unpin(new Location(folder, "there"));
		});
		expect(board.mounts()).toEqual([board.at("bytes")]);
	});

	test("a directory that is replaced by a link meanwhile leads nowhere else", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		for (const name of ["folder", "elsewhere"]) mkdirSync(board.outside(name));
		task.run(() => {
			using own = Namespace.current("uts");
			using folder = openat2(at("folder"), { flags: ["path", "directory"] });
			const place = new Location(folder, "pin");
			spawnSync("mv", [board.outside("folder"), board.outside("moved")]);
			symlinkSync("elsewhere", board.outside("folder"));
			own.pin(place);
			expect(board.mounts()).toEqual([at("moved/pin")]);
			Namespace.unpin(place);
		});
		expect([board.mounts(), readdirSync(board.outside("moved"))]).toEqual([[], []]);
	});

	test.each([
		["open_tree", SYS_open_tree, EPERM, "EPERM"],
		["open_tree", SYS_open_tree, EMFILE, "EMFILE"],
		["move_mount", SYS_move_mount, EPERM, "EPERM"],
	] as const)("a file that pin has made is gone when %s (%i) fails with %i", async (syscall, nr, errno, code) => {
		await using board = await pinBoard();
		await using task = await board.task.clone();
		writeFileSync(board.outside("left"), "");
		forbid(task, nr, errno);
		task.run(() => {
			using own = Namespace.current("uts");
			for (const name of ["made", "left"])
				expect(refusal(() => own.pin(board.at(name)))).toMatchObject({ code, syscall, path: board.at(name) });
		});
		expect([board.mounts(), board.names()]).toEqual([[], ["left"]]);
	});

	test("EMFILE at every step leaves neither a file, a mount nor a descriptor", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		const own = task.run(() => Namespace.current("uts"));
		const open = () => readdirSync(`/proc/${task.pid}/fd`).length;
		const before = open();
		const refusing: string[] = [];
		for (let limit = 0; limit < 64; limit++) {
			board.limit(limit);
			const error = task.run(() => refusal(() => own.pin(at("pin"))));
			board.limit(1024);
			task.run(() => openat2("/").close());
			expect(open()).toBe(before);
			if (error.code === undefined) break;
			expect(error.code).toBe("EMFILE");
			refusing.push(error.syscall ?? "");
			expect([board.mounts(), board.names()]).toEqual([[], []]);
		}
		expect([...new Set(refusing)]).toEqual(["openat2", "open_tree"]);
		expect(board.mounts()).toEqual([at("pin")]);
		for (let limit = 0; limit < 64; limit++) {
			board.limit(limit);
			const error = task.run(() => refusal(() => Namespace.unpin(at("pin"))));
			board.limit(1024);
			if (error.code === undefined) break;
			expect(error.code).toBe("EMFILE");
		}
		expect([board.mounts(), board.names()]).toEqual([[], []]);
	});

	test("a task that dies in the middle leaves an empty file at most, which the next pin uses", async () => {
		await using board = await pinBoard();
		await using task = await board.task.clone();
		killAt(task, SYS_move_mount);
		const error = task.run(() => {
			const own = Namespace.current("uts");
			return refusal(() => own.pin(board.at("pin")));
		});
		expect(error.code).toBe("ERR_NEARFAR_TASK_GONE");
		expect([board.mounts(), board.names()]).toEqual([[], ["pin"]]);
		board.task.run(() => {
			using own = Namespace.current("uts");
			own.pin(board.at("pin"));
		});
		expect(board.mounts()).toEqual([board.at("pin")]);
	});

	needs("/proc").test(
		"of two that pin on one file at the same moment, one is EEXIST and nothing is stacked",
		async () => {
			await using board = await pinBoard();
			await using runner = await board.task.clone();
			const { report } = await runFixtureIn(runner, "namespaces/pin-race", board.at());
			expect(report).toEqual(["EEXIST,pinned"]);
			expect(board.mounts()).toHaveLength(50);
			expect(new Set(board.mounts()).size).toBe(50);
		},
	);

	test("a read-only pin directory is EROFS", async () => {
		await using board = await pinBoard();
		board.task.run(() => {
			using own = Namespace.current("uts");
			mount(null, board.at(), null, { flags: ["bind", "remount", "rdonly"] });
			const refused = refusal(() => own.pin(board.at("pin")));
			expect(refused).toMatchObject({ code: "EROFS", syscall: "openat2", path: board.at("pin") });
		});
	});

	test("a pin in a shared directory reaches its peers, and pin and unpin change no propagation", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		task.run(() => mount(null, at(), null, { flags: ["shared"] }));
		await using peer = await task.clone({ namespaces: ["mnt"] });
		const linesOf = (of: Task) => readFileSync(`/proc/${of.pid}/mountinfo`, "utf8").match(/^.* - nsfs .*$/gm) ?? [];
		const sharing = () => readFileSync(`/proc/${task.pid}/mountinfo`, "utf8").match(/ shared:\d+ - tmpfs scratch/g);
		const before = sharing();
		task.run(() => {
			using own = Namespace.current("uts");
			own.pin(at("pin"));
		});
		expect([linesOf(task).length, linesOf(peer).length, sharing()]).toEqual([1, 1, before]);
		task.run(() => Namespace.unpin(at("pin")));
		expect([linesOf(task), linesOf(peer), sharing(), board.names()]).toEqual([[], [], before, []]);
	});

	test("pin and unpin without privilege are EPERM, and leave what is there", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		task.run(() => {
			using own = Namespace.current("uts");
			own.pin(at("pin"));
			dropCapabilities();
			expect(refusal(() => own.pin(at("new")))).toMatchObject({ code: "EPERM", syscall: "open_tree" });
			expect(refusal(() => Namespace.unpin(at("pin")))).toMatchObject({ code: "EPERM", syscall: "umount2" });
		});
		expect([board.mounts(), board.names()]).toEqual([[at("pin")], ["pin"]]);
	});

	test("a batch refuses pin and unpin before anything is collected", async () => {
		await using board = await pinBoard();
		const own = board.task.run(() => Namespace.current("uts"));
		const refused = { code: "ERR_NEARFAR_BATCH" };
		expect(await reason(() => board.task.batch(() => own.pin(board.at("pin"))))).toMatchObject(refused);
		expect(await reason(() => board.task.batch(() => Namespace.unpin(board.at("pin"))))).toMatchObject(refused);
		expect(board.names()).toEqual([]);
	});

	test("wrong arguments of pin and unpin reach no kernel", async () => {
		await using board = await pinBoard();
		board.task.run(() => {
			using own = Namespace.current("uts");
			const code = (...rest: [unknown, unknown?]) => refusal(() => own.pin(...(rest as unknown as [string]))).code;
			expect(code(5)).toBe("ERR_INVALID_ARG_TYPE");
			expect(code("a\0b")).toBe("ERR_INVALID_ARG_VALUE");
			expect(code(board.at("a"), { mode: 0o10000 })).toBe("ERR_OUT_OF_RANGE");
			expect(code(board.at("a"), { mod: 0 })).toBe("ERR_INVALID_ARG_VALUE");
			expect(refusal(() => Namespace.unpin(own)).code).toBe("ERR_INVALID_ARG_VALUE");
			own.close();
			expect(code(board.at("a"))).toBe("ERR_NEARFAR_CLOSED");
		});
		expect(board.names()).toEqual([]);
	});
});

describe("pins of mount namespaces", () => {
	test.each([
		["with the ids of the kernel", false],
		["as before Linux 6.11, without ids", true],
	])("NST-43 snapd #17376: the own mount namespace, and an older one, are ELOOP with a hint (%s)", async (_, old) => {
		await using board = await pinBoard();
		const { task, at } = board;
		if (old) forbid(task, SYS_ioctl, ENOTTY, NS_GET_MNTNS_ID, 1);
		const idIn = (of: Task) =>
			of.run(() => {
				using own = Namespace.current("mnt");
				return own.id;
			});
		const before = idIn(task);
		task.run(() => {
			using own = Namespace.current("mnt");
			const error = refusal(() => own.pin(at("self")));
			expect(error).toMatchObject({ code: "ELOOP", syscall: "move_mount", path: at("self") });
			const words =
				before === undefined
					? "namespace cannot be pinned in itself"
					: `namespace (id ${before}) cannot be pinned in itself`;
			expect((error as { hint?: string }).hint).toContain(words);
		});
		const older = task.run(() => Namespace.current("mnt"));
		using near = task.get(older);
		await using younger = await task.clone({ namespaces: ["mnt"] });
		using inside = younger.put(near);
		const error = younger.run(() => refusal(() => inside.pin(at("older"))));
		if (error.code !== undefined) {
			expect(error).toMatchObject({ code: "ELOOP", syscall: "move_mount" });
			const words = before === undefined ? "older mount namespace" : `${before}.*${idIn(younger)}.*schedSetaffinity`;
			expect((error as { hint?: string }).hint).toMatch(new RegExp(words));
		}
		// On Linux 6.18 the CPU that made a namespace decides which one counts as younger.
		expect(board.names()).toEqual(error.code === undefined ? ["older"] : []);
	});

	test("util-linux #289: a younger mount namespace whose mounts are private is pinned", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		let pinned = false;
		// On Linux 6.18 the CPU that makes a namespace decides which one is younger. One of them has made the own one of the task.
		for (let cpu = 0; cpu < 1024 && !pinned; cpu++) {
			if (!runsOn(task, cpu)) continue;
			await using younger = await task.clone({ namespaces: ["mnt"] });
			using near = younger.get(younger.run(() => Namespace.current("mnt")));
			using far = task.put(near);
			const error = task.run(() => refusal(() => far.pin(at("mnt"))));
			pinned = error.code === undefined;
			if (!pinned) expect(error.code).toBe("ELOOP");
		}
		expect(pinned).toBe(true);
		expect(board.mounts()).toEqual([at("mnt")]);
		task.run(() => Namespace.unpin(at("mnt")));
		expect(board.names()).toEqual([]);
	});

	test.each([false, true])(
		"util-linux #289: a pin in a shared mount that the namespace has too is EINVAL with a hint (without ids: %s)",
		async (old) => {
			await using board = await pinBoard();
			const { task, at } = board;
			if (old) forbid(task, SYS_ioctl, ENOTTY, NS_GET_MNTNS_ID, 1);
			task.run(() => mount(null, at(), null, { flags: ["shared"] }));
			await using younger = await task.clone({ namespaces: ["mnt"] });
			using near = younger.get(younger.run(() => Namespace.current("mnt")));
			using far = task.put(near);
			const error = task.run(() => refusal(() => far.pin(at("mnt"))));
			expect(error).toMatchObject({ syscall: "move_mount", code: expect.stringMatching(/^(EINVAL|ELOOP)$/) });
			expect((error as { hint?: string }).hint).toMatch(/private|older mount namespace/);
			expect(board.names()).toEqual([]);
		},
	);
});

/** Lets a task run on one CPU alone. Returns false where the task may not, or there is no such CPU. */
function runsOn(task: Task, cpu: number): boolean {
	const sysSchedSetaffinity = arm64 ? 122 : 203;
	const mask = new Uint8Array(128);
	mask[cpu >> 3] = 1 << (cpu & 7);
	return task.run(() => refusal(() => task.syscall(sysSchedSetaffinity, 0, mask.length, mask))).code === undefined;
}

describe("unpin", () => {
	test("a stack of two pins, as mount(2) makes it, goes away as a whole", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		task.run(() => {
			using own = Namespace.current("uts");
			own.pin(at("pin"));
			mount("/proc/thread-self/ns/net", at("pin"), null, { flags: ["bind"] });
			expect(board.mounts()).toEqual([at("pin"), at("pin")]);
			Namespace.unpin(at("pin"));
		});
		expect([board.mounts(), board.names()]).toEqual([[], []]);
	});

	test("kata #1765: an empty file without a mount is removed, and a missing one is ENOENT", async () => {
		await using board = await pinBoard();
		writeFileSync(board.outside("left"), "");
		board.task.run(() => {
			Namespace.unpin(board.at("left"));
			const refused = refusal(() => Namespace.unpin(board.at("left")));
			expect(refused).toMatchObject({ code: "ENOENT", syscall: "openat2", path: board.at("left") });
			expect(refusal(() => Namespace.unpin(board.at("no/where")))).toMatchObject({ code: "ENOENT" });
		});
		expect(board.names()).toEqual([]);
	});

	test("a file with content, a directory, a link to a pin and another mount are EINVAL, and stay", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		writeFileSync(board.outside("full"), "content");
		mkdirSync(board.outside("folder"));
		writeFileSync(board.outside("mounted"), "");
		task.run(() => {
			using own = Namespace.current("uts");
			own.pin(at("pin"));
			mount(at("full"), at("mounted"), null, { flags: ["bind"] });
		});
		symlinkSync("pin", board.outside("link"));
		const before = [board.names(), board.mounts()];
		for (const name of ["full", "folder", "folder/", "link", "mounted"]) {
			const refused = task.run(() => refusal(() => Namespace.unpin(at(name))));
			expect([name, refused]).toMatchObject([name, { code: "EINVAL", syscall: "umount2", path: at(name) }]);
		}
		expect([board.names(), board.mounts()]).toEqual(before);
	});

	test("what is no regular file stays when the pin on it goes away", async () => {
		await using board = await pinBoard();
		const { task, at } = board;
		task.run(() => {
			mknod(at("fifo"), "fifo");
			using own = Namespace.current("uts");
			using fifo = openat2(at("fifo"), { flags: ["path"] });
			own.pin(fifo);
			Namespace.unpin(at("fifo"));
		});
		expect(board.mounts()).toEqual([]);
		expect(lstatSync(board.outside("fifo")).isFIFO()).toBe(true);
	});

	test("a pin that is in use goes away, and its descriptors keep the namespace", async () => {
		await using board = await pinBoard();
		board.task.run(() => {
			using own = Namespace.current("uts");
			own.pin(board.at("pin"));
			using open = openat2(board.at("pin"));
			Namespace.unpin(board.at("pin"));
			setns(open, ["uts"]);
		});
		expect(board.names()).toEqual([]);
	});

	test("a pin that a more privileged mount namespace has made is locked: EINVAL", async () => {
		await using board = await pinBoard();
		board.task.run(() => {
			using own = Namespace.current("uts");
			own.pin(board.at("pin"));
		});
		await using below = await board.task.clone({ namespaces: ["user", "mnt"], idMap: "identity" });
		const refused = below.run(() => refusal(() => Namespace.unpin(board.at("pin"))));
		expect(refused).toMatchObject({ code: "EINVAL", syscall: "umount2" });
		expect(board.names()).toEqual(["pin"]);
	});
});
