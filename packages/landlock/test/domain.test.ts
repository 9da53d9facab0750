// What a domain refuses, with which error, and what it does not cover. Each attempt is made outside of a domain first.
import { once } from "node:events";
import { chmodSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import {
	chdir,
	chmod,
	chown,
	chroot,
	FileDescriptor,
	flock,
	ftruncate,
	link,
	mkdir,
	mknod,
	openat2,
	pipe,
	readdir,
	readlink,
	rename,
	rmdir,
	statx,
	symlink,
	Task,
	unlink,
} from "@nearfar/core";
import { run, spawn } from "@nearfar/process";
import { expect, test } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { landlock, landlockErrata } from "../src/index.ts";
import { attempt, cloneIn, Folder, inside, loopback, make, outcome, path, unixAddress } from "./domain.ts";

const [AT_FDCWD, AF_INET, AF_UNIX, SOCK_STREAM, SOCK_DGRAM] = [-100, 2, 1, 1, 2];

const stub = fileURLToPath(new URL("../../core/native/nearfar-stub", import.meta.url));

function folderWithFiles(): Folder {
	const folder = new Folder();
	chmodSync(folder.path, 0o755);
	for (const name of ["a", "b"]) mkdirSync(folder.at(name));
	writeFileSync(folder.at("a/file"), "text");
	symlinkSync("file", folder.at("a/link"));
	return folder;
}

async function listen(server: Server, at: string | number): Promise<number> {
	server.listen(typeof at === "string" ? { path: at } : { port: at, host: "127.0.0.1" });
	await once(server, "listening");
	const address = server.address();
	return typeof address === "object" && address ? address.port : 0;
}

needs("Landlock").describe("refused", () => {
	test("files: EACCES to open, list, make, remove and truncate; with `[]` all of them", async () => {
		using folder = folderWithFiles();
		const attempts = (task: Task) => ({
			read: inside(task, () => openat2(folder.at("a/file")).close()),
			write: inside(task, () => openat2(folder.at("a/file"), { flags: ["wronly"] }).close()),
			list: inside(task, () => readdir(folder.path)),
			make: inside(task, () => openat2(folder.at("new"), { flags: ["creat", "excl", "wronly"], mode: 0o600 }).close()),
			directory: inside(task, () => mkdir(folder.at("dir"))),
			fifo: inside(task, () => mknod(folder.at("fifo"), "fifo", { mode: 0o600 })),
			link: inside(task, () => symlink("a", folder.at("sym"))),
			remove: inside(task, () => rmdir(folder.at("b"))),
			unlink: inside(task, () => unlink(folder.at("a/link"))),
			execute: outcome(() => task.run(() => openat2("/proc/self/exe", { flags: ["path"] }).close())),
		});
		await using task = await cloneIn({ paths: [] });
		const { execute, ...refused } = attempts(task);
		expect(new Set(Object.values(refused))).toEqual(new Set(["EACCES"]));
		expect(execute).toBe("ok"); // O_PATH opens nothing
		await using free = await Task.clone();
		expect(new Set(Object.values(attempts(free)))).toEqual(new Set(["ok"]));
	});

	needs("ABI 3 of Landlock").test("LL-03 a file that cannot be written cannot be emptied either", async () => {
		using folder = folderWithFiles();
		await using task = await cloneIn({ paths: [{ at: folder.path, allow: ["read"] }] }, {});
		expect(attempt(task, "truncate", path(folder.at("a/file")), 0)).toBe("EACCES");
		expect(readFileSync(folder.at("a/file"), "utf8")).toBe("text");
		await using free = await Task.clone();
		expect(attempt(free, "truncate", path(folder.at("a/file")), 0)).toBe("ok");
	});

	test("execute: EACCES for the program, and for its loader", async () => {
		const system = { at: "/usr", allow: ["read"], kind: "directory" } as const;
		const program = { at: "/usr/bin/true", allow: ["run"], kind: "file" } as const;
		const rules = { paths: [system], drop: "any" } as const;
		const command = run("/usr/bin/true", [], { landlock: rules });
		await expect(command).rejects.toMatchObject({ code: "EACCES", path: "/usr/bin/true" });
		// The program alone is not enough: the kernel executes its loader.
		const withoutLoader = run("/usr/bin/true", [], { landlock: { ...rules, paths: [system, program] } });
		await expect(withoutLoader).rejects.toMatchObject({ code: "EACCES", hint: expect.stringContaining("loader") });
		const whole = run("/usr/bin/true", [], { landlock: { ...rules, paths: [{ ...system, allow: ["run"] }] } });
		expect(await whole).toMatchObject({ code: 0 });
	});

	needs("ABI 2 of Landlock").test(
		"rename and link between directories: EXDEV without refer, on either side (LL-01)",
		async () => {
			using folder = folderWithFiles();
			const allow = ["makeReg", "removeFile", "readFile", "writeFile"] as const;
			await using task = await cloneIn({ paths: [{ at: folder.path, allow }] });
			expect(inside(task, () => rename(folder.at("a/file"), folder.at("b/file")))).toBe("EXDEV");
			expect(inside(task, () => link(folder.at("a/file"), folder.at("b/file")))).toBe("EXDEV");
			expect(inside(task, () => rename(folder.at("a/file"), folder.at("a/other")))).toBe("ok");
			await using writer = await cloneIn({ paths: [{ at: folder.path, allow: ["write"] }] });
			expect(inside(writer, () => rename(folder.at("a/other"), folder.at("b/file")))).toBe("ok");
			expect(inside(writer, () => link(folder.at("b/file"), folder.at("a/file")))).toBe("ok");
		},
	);

	needs("ABI 4 of Landlock").test("TCP: EACCES for bind and connect, but for the ports of the rules", async () => {
		await using other = createServer((socket) => socket.destroy());
		const port = await listen(other, 0);
		await using task = await cloneIn({ ports: [] });
		const tcp = (task: Task) => make(task, "socket", AF_INET, SOCK_STREAM, 0);
		expect(attempt(task, "bind", tcp(task), loopback(0), 16)).toBe("EACCES");
		expect(attempt(task, "connect", tcp(task), loopback(port), 16)).toBe("EACCES");
		await using allowed = await cloneIn({
			ports: [
				{ port, allow: ["connectTcp"] },
				{ port: 0, allow: ["bindTcp"] },
			],
		});
		expect(attempt(allowed, "bind", tcp(allowed), loopback(0), 16)).toBe("ok");
		expect(attempt(allowed, "connect", tcp(allowed), loopback(port), 16)).toBe("ok");
	});

	needs("ABI 10 of Landlock").test(
		"LL-10 UDP: where bindUdp is handled, sending without bind needs a rule for port 0",
		async () => {
			const udp = (task: Task) => make(task, "socket", AF_INET, SOCK_DGRAM, 0);
			const send = (task: Task) => attempt(task, "sendto", udp(task), Buffer.from("x"), 1, 0, loopback(9), 16);
			const to9 = { port: 9, allow: ["connectSendUdp"] } as const;
			await using task = await cloneIn({ ports: [to9] });
			expect(send(task)).toBe("EACCES");
			await using allowed = await cloneIn({ ports: [to9, { port: 0, allow: ["bindUdp"] }] });
			expect(send(allowed)).toBe("ok");
		},
	);

	needs("ABI 5 of Landlock").test("devices: EACCES for ioctl without ioctlDev", async () => {
		const TCGETS = 0x5401;
		const ask = (task: Task, fd: number) => attempt(task, "ioctl", fd, TCGETS, Buffer.alloc(64));
		const open = (task: Task) => task.run(() => openat2("/dev/null"));
		await using task = await cloneIn({ paths: [{ at: "/dev/null", allow: ["readFile"] }] }, { require: 5 });
		expect(ask(task, open(task).fd)).toBe("EACCES");
		await using allowed = await cloneIn({ paths: [{ at: "/dev/null", allow: ["device"] }] }, { require: 5 });
		expect(ask(allowed, open(allowed).fd)).toBe("ENOTTY");
	});

	needs("ABI 9 of Landlock").test("LL-09 Unix sockets by path: EACCES", async () => {
		using folder = new Folder();
		await using server = createServer((socket) => socket.destroy());
		await listen(server, folder.at("socket"));
		const address = unixAddress(folder.at("socket"));
		const connect = (task: Task) =>
			attempt(task, "connect", make(task, "socket", AF_UNIX, SOCK_STREAM, 0), address, address.length);
		await using task = await cloneIn({ paths: [{ at: "/usr", allow: ["read"] }] }, { require: 9 });
		expect(connect(task)).toBe("EACCES");
		const allow = ["resolveUnix"] as const;
		await using onDirectory = await cloneIn({ paths: [{ at: folder.path, allow }] });
		expect(connect(onDirectory)).toBe("ok");
		await using onSocket = await cloneIn({ paths: [{ at: folder.at("socket"), allow }] });
		expect(connect(onSocket)).toBe("ok");
	});

	needs("ABI 6 of Landlock").test(
		"scopes: EPERM for signals and abstract sockets outside, and none inside",
		async () => {
			const name = `\0nearfar-landlock-${process.pid}`;
			const address = unixAddress(name);
			const connect = (task: Task) =>
				attempt(task, "connect", make(task, "socket", AF_UNIX, SOCK_STREAM, 0), address, address.length);
			await using outside = await Task.clone();
			const server = make(outside, "socket", AF_UNIX, SOCK_STREAM, 0);
			expect(attempt(outside, "bind", server, address, address.length)).toBe("ok");
			expect(attempt(outside, "listen", server, 1)).toBe("ok");
			await using task = await cloneIn({ scope: ["signal", "abstractUnixSocket"] });
			expect(attempt(task, "kill", outside.process.pid, 0)).toBe("EPERM");
			expect(connect(task)).toBe("EPERM");
			await using child = await task.clone();
			expect(attempt(task, "kill", child.process.pid, 0)).toBe("ok");
			expect(attempt(child, "kill", task.process.pid, 0)).toBe("ok"); // the same domain
			expect(attempt(outside, "kill", task.process.pid, 0)).toBe("ok");
			expect(connect(outside)).toBe("ok");
		},
	);

	needs("a process that another one may trace").test("ptrace: EPERM outside", async () => {
		const PTRACE_SEIZE = 0x4206;
		await using target = await spawn("sleep", ["1000"], { stdio: "ignore" });
		await using task = await cloneIn({ paths: [] });
		expect(attempt(task, "ptrace", PTRACE_SEIZE, target.pid, 0, 0)).toBe("EPERM");
		await using free = await Task.clone();
		expect(attempt(free, "ptrace", PTRACE_SEIZE, target.pid, 0, 0)).toBe("ok");
	});
});

needs("Landlock").describe("not covered", () => {
	test("looking and changing attributes", async () => {
		using folder = folderWithFiles();
		await using task = await cloneIn({ paths: [] });
		const file = folder.at("a/file");
		const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
		expect(inside(task, () => statx(file))).toBe("ok");
		expect(inside(task, () => readlink(folder.at("a/link")))).toBe("ok");
		expect(inside(task, () => chmod(file, 0o640))).toBe("ok");
		expect(inside(task, () => chown(file, uid, gid))).toBe("ok");
		expect(inside(task, () => chdir(folder.at("b")))).toBe("ok");
		expect(attempt(task, "faccessat2", AT_FDCWD, path(file), 4, 0)).toBe("ok");
		expect(attempt(task, "utimensat", AT_FDCWD, path(file), 0, 0)).toBe("ok");
		expect(attempt(task, "statfs", path(file), Buffer.alloc(128))).toBe("ok");
		expect(["ok", "EOPNOTSUPP"]).toContain(
			attempt(task, "setxattr", path(file), path("user.a"), Buffer.from("x"), 1, 0),
		);
		const inotify = make(task, "inotify_init1", 0);
		expect(attempt(task, "inotify_add_watch", inotify, path(file), 2)).toBe("ok");
	});

	test("descriptors that were open before, but paths from an open directory are", async () => {
		using folder = folderWithFiles();
		await using task = await Task.clone();
		const [file, directory] = task.run(() => [
			openat2(folder.at("a/file"), { flags: ["rdwr"] }),
			openat2(folder.at("a"), { flags: ["directory"] }),
		]);
		task.run(() => landlock({ paths: [] }, { drop: "any" }));
		if (!file || !directory) throw new Error("nothing was opened");
		expect(inside(task, () => file.read(4))).toBe("ok");
		expect(inside(task, () => file.write("more"))).toBe("ok");
		expect(inside(task, () => ftruncate(file, 1))).toBe("ok");
		expect(inside(task, () => flock(file, "exclusive"))).toBe("ok");
		expect(inside(task, () => readdir(directory))).toBe("EACCES"); // it opens "."
		const getdents = process.arch === "arm64" ? 61 : 217;
		expect(outcome(() => task.syscall(getdents, directory, Buffer.alloc(1024), 1024))).toBe("ok");
		expect(attempt(task, "faccessat2", directory, path("file"), 4, 0)).toBe("ok");
	});

	test("files without a path: pipes and memfds, also their execution", async () => {
		await using task = await cloneIn({ paths: [] });
		expect(inside(task, () => pipe().map((end) => end.close()))).toBe("ok");
		const memfd = make(task, "memfd_create", path("x"), 0);
		const executable = task.run(() => FileDescriptor.from(make(task, "memfd_create", path("x"), 0)));
		task.run(() => executable.write(readFileSync(stub)));
		const openAgain = () => task.run(() => openat2(`/proc/self/fd/${memfd}`).close());
		expect(outcome(openAgain)).toBe("ok");
		await task.exec(executable, ["stub"]);
		expect(await task.process.exited).toMatchObject({ signal: null });
	});

	test("hard links: a name in an allowed directory opens the file, wherever else it lies (LL-06)", async () => {
		using folder = folderWithFiles();
		linkSync(folder.at("a/file"), folder.at("b/file"));
		await using task = await cloneIn({ paths: [{ at: folder.at("b"), allow: ["write"] }] });
		expect(inside(task, () => openat2(folder.at("a/file"), { flags: ["wronly"] }).close())).toBe("EACCES");
		expect(inside(task, () => openat2(folder.at("b/file"), { flags: ["wronly"] }).close())).toBe("ok");
	});

	test("LL-09 Unix sockets by path, below the level 9", async () => {
		using folder = new Folder();
		await using server = createServer((socket) => socket.destroy());
		await listen(server, folder.at("socket"));
		const address = unixAddress(folder.at("socket"));
		await using task = await cloneIn({ paths: [] });
		const socket = make(task, "socket", AF_UNIX, SOCK_STREAM, 0);
		expect(attempt(task, "connect", socket, address, address.length)).toBe("ok");
	});

	needs("ABI 4 of Landlock").test("UDP below the level 10, and TCP Fast Open until erratum 4 is fixed", async () => {
		const MSG_FASTOPEN = 0x2000_0000;
		await using server = createServer((socket) => socket.destroy());
		const port = await listen(server, 0);
		await using task = await cloneIn({ ports: [] });
		const udp = make(task, "socket", AF_INET, SOCK_DGRAM, 0);
		expect(attempt(task, "sendto", udp, Buffer.from("x"), 1, 0, loopback(9), 16)).toBe("ok");
		const tcp = make(task, "socket", AF_INET, SOCK_STREAM, 0);
		const sent = attempt(task, "sendto", tcp, Buffer.from("x"), 1, MSG_FASTOPEN, loopback(port), 16);
		// Erratum 4: Linux 7.3 and the 6.12 of Debian have fixed it.
		expect(sent === "EACCES").toBe((landlockErrata() & 8) !== 0);
	});

	needs("ABI 4 of Landlock").test("MPTCP", async () => {
		const IPPROTO_MPTCP = 262;
		await using server = createServer((socket) => socket.destroy());
		const port = await listen(server, 0);
		await using task = await cloneIn({ ports: [] });
		const made = outcome(() => make(task, "socket", AF_INET, SOCK_STREAM, IPPROTO_MPTCP));
		if (made !== "ok") return expect(["EPROTONOSUPPORT", "EINVAL", "ENOPROTOOPT"]).toContain(made);
		const socket = make(task, "socket", AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
		expect(attempt(task, "connect", socket, loopback(port), 16)).toBe("ok");
	});

	test("/proc of others, but for what needs ptrace, which CAP_PERFMON of root replaces", async () => {
		await using outside = await spawn("sleep", ["1000"], { stdio: "ignore" });
		await using task = await cloneIn({ paths: [{ at: "/proc", allow: ["read"] }] });
		const look = (name: string) => inside(task, () => openat2(`/proc/${outside.pid}/${name}`).close());
		expect(look("stat")).toBe("ok");
		// Linux 6.1 asks for ptrace in any case.
		const ofRoot = has("Linux 6.18") ? ["ok"] : ["ok", "EACCES"];
		expect(has("root") ? ofRoot : ["EACCES"]).toContain(look("environ"));
		expect(inside(task, () => readlink(`/proc/${outside.pid}/exe`))).toBe("EACCES");
	});

	test("priorities and limits of processes outside", async () => {
		await using outside = await Task.clone();
		await using task = await cloneIn({ paths: [] });
		expect(attempt(task, "setpriority", 0, outside.process.pid, 19)).toBe("ok");
		const [RLIMIT_CORE, limits] = [4, Buffer.alloc(16)];
		// Without CAP_SYS_RESOURCE the kernel asks whether the ids are equal.
		expect(attempt(task, "prlimit64", outside.process.pid, RLIMIT_CORE, limits, 0)).toBe("ok");
	});
});

needs("Landlock", "user namespaces").describe("mounts", () => {
	const namespaces = ["user", "mnt"] as const;

	test("LL-08 mount, umount, move_mount, pivot_root and remount are EPERM, also for root", async () => {
		const attempts = (task: Task, tmp: string) => ({
			umount2: attempt(task, "umount2", path(tmp), 2),
			mount: attempt(task, "mount", path("x"), path(tmp), path("tmpfs"), 0, 0),
			remount: attempt(task, "mount", path("x"), path(tmp), 0, 0x20 | 0x1000, 0), // MS_REMOUNT, MS_BIND
			move_mount: attempt(
				task,
				"move_mount",
				make(task, "open_tree", AT_FDCWD, path(tmp), 1),
				path(""),
				AT_FDCWD,
				path("/mnt"),
				4,
			),
			pivot_root: attempt(task, "pivot_root", path(tmp), path(tmp)),
		});
		for (const restricted of [false, true]) {
			await using task = await Task.clone({ namespaces, idMap: "root" });
			const tmp = tmpdir();
			expect(attempt(task, "mount", path("x"), path(tmp), path("tmpfs"), 0, 0)).toBe("ok");
			if (!restricted) {
				expect(attempts(task, tmp)).toEqual({
					umount2: "ok",
					mount: "ok",
					remount: "ok",
					move_mount: "ok",
					pivot_root: "ok",
				});
				continue;
			}
			task.run(() => landlock({ paths: [{ at: "/", allow: ["all"] }] }, { drop: "any" }));
			expect(new Set(Object.values(attempts(task, tmp)))).toEqual(new Set(["EPERM"]));
		}
	});

	test("mount_setattr, open_tree with `clone` and fsopen pass: mount_setattr takes `ro` away inside of a domain", async () => {
		const [OPEN_TREE_CLONE, RDONLY] = [1n, 1n];
		const attributes = (set: bigint, clear: bigint) => Buffer.from(new BigUint64Array([set, clear, 0n, 0n]).buffer);
		using folder = folderWithFiles();
		await using task = await Task.clone({ namespaces, idMap: "root" });
		const place = path(folder.path);
		expect(attempt(task, "mount", place, place, 0, 0x1000, 0)).toBe("ok"); // MS_BIND
		expect(attempt(task, "mount_setattr", AT_FDCWD, place, 0, attributes(RDONLY, 0n), 32)).toBe("ok");
		task.run(() => landlock({ paths: [{ at: folder.path, allow: ["write"] }] }, { drop: "any" }));
		const write = () => inside(task, () => openat2(folder.at("a/file"), { flags: ["wronly"] }).close());
		expect(write()).toBe("EROFS");
		expect(attempt(task, "mount_setattr", AT_FDCWD, place, 0, attributes(0n, RDONLY), 32)).toBe("ok");
		expect(write()).toBe("ok");
		expect(outcome(() => make(task, "open_tree", AT_FDCWD, place, OPEN_TREE_CLONE))).toBe("ok");
		expect(outcome(() => make(task, "fsopen", path("tmpfs"), 0))).toBe("ok");
		expect(inside(task, () => chroot(folder.path))).toBe("ok");
	});
});

needs("Landlock").describe("layers", () => {
	test("a layer only takes away, and outlives exec", async () => {
		using folder = folderWithFiles();
		await using task = await cloneIn({ paths: [{ at: folder.at("a"), allow: ["read"] }] });
		task.run(() => landlock({ paths: [{ at: "/", allow: ["all"] }] }, { drop: "any" }));
		expect(inside(task, () => openat2(folder.at("a/file")).close())).toBe("ok");
		expect(inside(task, () => readdir(folder.at("b")))).toBe("EACCES");
		await using child = await task.clone();
		expect(inside(child, () => readdir(folder.at("b")))).toBe("EACCES");

		const system = { at: "/usr", allow: ["run"], kind: "directory" } as const;
		const listed = await run("ls", [folder.at("b")], { landlock: { paths: [system], drop: "any" } });
		expect(listed).toMatchObject({ code: 2, landlock: { level: 3 } });
	});

	needs("ABI 4 of Landlock").test(
		"over paths, a layer of ports alone leaves renames between directories as they are",
		async () => {
			using folder = folderWithFiles();
			await using task = await cloneIn({ paths: [{ at: folder.path, allow: ["write"] }] });
			expect(task.run(() => landlock({ ports: [] }))).toMatchObject({ fs: [], net: ["bindTcp", "connectTcp"] });
			expect(inside(task, () => rename(folder.at("a/file"), folder.at("b/file")))).toBe("ok");
		},
	);

	test("paths are inodes: a rule follows a rename, and a directory made later is not covered", async () => {
		using folder = folderWithFiles();
		await using task = await cloneIn({ paths: [{ at: folder.at("a"), allow: ["read"] }] });
		await using free = await Task.clone();
		free.run(() => {
			rename(folder.at("a"), folder.at("moved"));
			mkdir(folder.at("a"), { mode: 0o755 });
		});
		expect(inside(task, () => readdir(folder.at("moved")))).toBe("ok");
		expect(inside(task, () => readdir(folder.at("a")))).toBe("EACCES");
	});
});
