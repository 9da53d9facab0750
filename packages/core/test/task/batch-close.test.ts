import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { read } from "../../../../test/processes.ts";
import {
	chdir,
	chroot,
	closeRange,
	EventFd,
	type FileDescriptor,
	Location,
	openat2,
	Task,
	TaskGoneError,
} from "../../src/index.ts";

/** Keeps a task busy until the returned function is called. */
function busy(task: Task): () => Promise<void> {
	const full = task.run(() => EventFd.create({ blocking: true }));
	task.run(() => full.write(2n ** 64n - 2n));
	const near = task.get(full);
	const batch = task.batch(() => full.write(1n));
	return async () => {
		near.read();
		near.close();
		await batch;
		full.close();
	};
}

test("a batch that fails closes nothing that it has closed itself: the number is somebody else's by then", async () => {
	await using task = await Task.clone();
	const go = busy(task);
	const fails = task.batch(() => {
		const [first, second] = [openat2("/"), openat2("/")];
		first.close();
		second.dupTo(9);
		openat2("/").dupTo(9);
		openat2("/nope");
	});
	const good = task.batch(() => [openat2("/etc/passwd"), openat2("/etc/passwd"), openat2("/etc/passwd")]);
	await Promise.all([go(), expect(fails).rejects.toMatchObject({ code: "ENOENT", step: 6 })]);
	for (const file of await good) {
		expect(task.run(() => file.read(5)).length).toBe(5);
		file.close();
	}
});

const closings: [string, (task: Task, file: FileDescriptor) => void][] = [
	["close", (_, file) => file.close()],
	["dupTo", (_, file) => openat2("/").dupTo(file.fd)],
	["put", puts],
	["closeRange", (_, file) => closeRange(file.fd, file.fd)],
];

function puts(task: Task, { fd }: FileDescriptor): void {
	using file = Task.near.run(() => openat2("/"));
	task.put(file, { number: fd });
}

describe.each(closings)("%s in a batch that fails", (_, closes) => {
	test("has closed what it was to close, where it has run", async () => {
		await using task = await Task.clone();
		const file = task.run(() => openat2("/etc/passwd"));
		const batch = () => {
			closes(task, file);
			chdir("/nope");
		};
		await expect(task.batch(batch)).rejects.toMatchObject({ code: "ENOENT" });
		expect([file.closed, passwords(task)]).toEqual([true, 0]);
	});

	test.each(["an earlier call", "the function"])("has not, where %s failed", async (who) => {
		await using task = await Task.clone();
		const file = task.run(() => openat2("/etc/passwd"));
		const batch = task.batch(() => {
			if (who === "an earlier call") chdir("/nope");
			closes(task, file);
			if (who === "the function") throw new RangeError("no");
		});
		await expect(batch).rejects.toThrow(who === "the function" ? "no" : "ENOENT");
		expect(task.run(() => file.read(5)).length).toBe(5);
		file.close();
		expect(passwords(task)).toBe(0);
	});

	test("leaves alone what gets the number afterwards, before anybody has heard of the batch", async () => {
		await using task = await Task.clone();
		const file = task.run(() => openat2("/etc/passwd"));
		const { fd } = file;
		const batch = task.batch(() => closes(task, file));
		const next = task.run(() => {
			closeRange(fd, fd);
			return openat2("/etc/passwd");
		});
		await batch;
		expect([file.closed, next.closed, next.fd, passwords(task)]).toEqual([true, false, fd, 1]);
		next.close();
		expect(passwords(task)).toBe(0);
	});
});

describe("what is closed stays closed", () => {
	const fails = () => void openat2("/nope");
	const all = () => closeRange(3, 2 ** 32 - 1);

	test.each<[string, (task: Task, file: FileDescriptor) => Promise<unknown>[]]>([
		["by a call before the one that failed", (task, file) => [task.batch(() => [file.close(), fails(), all()])]],
		[
			"by a batch before the one that failed",
			(task, file) => [task.batch(() => file.close()), task.batch(() => [fails(), all()])],
		],
		["by a call after the batch that failed", closedAfter],
	])("%s", async (_, closes) => {
		await using task = await Task.clone();
		const file = task.run(() => openat2("/etc/passwd"));
		await Promise.allSettled(closes(task, file));
		expect(file.closed).toBe(true);
		using next = task.run(() => openat2("/etc/passwd"));
		file.close();
		expect([next.closed, passwords(task)]).toEqual([false, 1]);
	});

	function closedAfter(task: Task, file: FileDescriptor) {
		const batch = task.batch(() => [fails(), file.close()]);
		task.run(all);
		return [batch];
	}
});

/** Counts a task's descriptors of /etc/passwd. */
function passwords({ pid }: Task): number {
	const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
	return links.filter((link) => link === "/etc/passwd").length;
}

test("what a batch has replaced again is closed, and the handle says so", async () => {
	await using task = await Task.clone();
	const [first, second] = await task.batch(() => {
		const made = openat2("/etc/passwd").dupTo(9);
		return [made, openat2("/etc/group").dupTo(9)] as const;
	});
	expect([first.closed, second.closed, second.fd]).toEqual([true, false, 9]);
	const group = readFileSync("/etc/group", "latin1").slice(0, 20);
	expect(task.run(() => second.read(20)).toString("latin1")).toBe(group);
});

test("a range that a batch closes also closes what the batch has opened before, and the handle says so", async () => {
	await using task = await Task.clone();
	const [first, second] = await task.batch(() => {
		const first = openat2("/etc/passwd").dupTo(40);
		closeRange(40, 45);
		return [first, openat2("/etc/passwd").dupTo(41)] as const;
	});
	expect([first.closed, second.closed, second.fd]).toEqual([true, false, 41]);
	second.close();
});

test.each(["far", "near"])("closed before its batch has run, a descriptor is closed when it has: %s", async (where) => {
	await using far = await Task.clone();
	const task = where === "far" ? far : Task.near;
	const folder = `/proc/${task.pid}/fd`;
	const before = openFolders(folder);
	let made: ReturnType<typeof openat2> | undefined;
	const batch = task.batch(() => {
		made = openat2("/");
	});
	made?.close();
	expect(made?.closed).toBe(true);
	await batch;
	if (where === "far") far.run(() => openat2("/").close()); // the task makes pending closes before this call
	expect(openFolders(folder)).toBe(before);
});

/** Counts a process's descriptors of `/`. */
function openFolders(folder: string): number {
	const links = readdirSync(folder).map((name) => {
		try {
			return readlinkSync(`${folder}/${name}`);
		} catch {
			return ""; // the descriptor that the folder was read through
		}
	});
	return links.filter((link) => link === "/").length;
}

test("a clone that is killed before it has begun is no loss of its parent's", async () => {
	for (let turn = 0; turn < 25; turn++) {
		await using parent = await Task.clone();
		const cloning = parent.clone().catch((error: Error) => error);
		const deadline = performance.now() + 20;
		let child = "";
		while (!child && performance.now() < deadline)
			child = read(`/proc/${parent.pid}/task/${parent.pid}/children`).trim();
		if (child) process.kill(Number(child), "SIGKILL");
		const end = await cloning;
		if (end instanceof Error) expect(end).toBeInstanceOf(TaskGoneError);
		expect(parent.state).toBe("live");
		parent.run(() => openat2("/").close());
		if (!(end instanceof Error)) await end[Symbol.asyncDispose](); // on a busy machine the loop may not have seen it
	}
});

test("chroot refuses a location whose link it could only follow", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const refused = expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" });
	task.run(() => {
		using proc = openat2(ownProc, { flags: ["path", "directory"] });
		expect(() => chroot(new Location(proc, "self", { symlinks: false }))).toThrow(refused);
	});
});

test("a descriptor that a batch opens after closeRange stays open when the reply has come", async () => {
	await using task = await Task.clone();
	const near = openat2("/dev/null");
	const [put, zero] = await task.batch(() => {
		const put = task.put(near, { number: 60 });
		closeRange(3, 59); // closes the descriptor that came with the message, whose number is free then
		return [put, openat2("/dev/zero")];
	});
	expect(task.run(() => zero.read(1))).toEqual(Buffer.from([0]));
	task.run(() => {
		put.close();
		zero.close();
	});
	near.close();
});
