import { openat2, Task } from "@nearfar/core";
import { native, ownNamespaces, prctlOptions } from "@nearfar/core/internal";
import { setns, unshare } from "@nearfar/namespaces";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";

const root = { namespaces: ["user", "mnt"], idMap: "root" } as const;
const own = (task?: Task) => [...ownNamespaces(task)].sort();

test("this process has no namespaces of its own, and a task has those that it was cloned with", async () => {
	expect(own()).toEqual([]);
	await using plain = await Task.clone();
	expect(own(plain)).toEqual([]);
	await using task = await Task.clone(root);
	expect(own(task)).toEqual(["mnt", "user"]);
	expect(task.run(() => own())).toEqual(["mnt", "user"]);
});

test("a task has the kinds that it makes, and a task that it clones later has them too", async () => {
	await using task = await Task.clone(root);
	await using before = await task.clone({ namespaces: ["ipc"] });
	task.run(() => unshare(["uts"]));
	await using after = await task.clone({ namespaces: ["net"] });
	expect(own(task)).toEqual(["mnt", "user", "uts"]);
	expect(own(before)).toEqual(["ipc", "mnt", "user"]);
	expect(own(after)).toEqual(["mnt", "net", "user", "uts"]);
});

test("of the kinds that a task enters, only the user namespace is the task's own", async () => {
	await using home = await Task.clone(root);
	await using guest = await Task.clone();
	using fd = guest.put(home.process.fd);
	home.run(() => native().setPrctl(prctlOptions.setDumpable, [1])); // an ordinary user may enter only the namespaces of a dumpable process
	home.run(() => unshare(["uts"]));
	guest.run(() => setns(fd, ["user", "uts"]));
	expect(own(guest)).toEqual(["user"]);
});

test("a kind that a task has made is its own no more when the task enters another one", async () => {
	await using home = await Task.clone({ namespaces: ["user", "mnt", "uts"], idMap: "root" });
	await using guest = await home.clone({ namespaces: ["uts", "ipc"] });
	using fd = guest.put(home.process.fd);
	home.run(() => native().setPrctl(prctlOptions.setDumpable, [1]));
	expect(own(guest)).toEqual(["ipc", "mnt", "user", "uts"]);
	const failing = guest.batch(() => {
		unshare(1);
		setns(fd, ["uts"]);
	});
	expect(own(guest)).toEqual(["ipc", "mnt", "user"]);
	const cloning = guest.clone({ namespaces: ["uts"] });
	await expect(failing).rejects.toMatchObject({ code: "EINVAL", step: 0 });
	expect(own(guest)).toEqual(["ipc", "mnt", "user", "uts"]);
	await guest.batch(() => setns(fd, ["uts"]));
	expect(own(guest)).toEqual(["ipc", "mnt", "user"]);
	await using child = await cloning;
	expect(own(child)).toEqual(["ipc", "mnt", "user", "uts"]);
	guest.run(() => unshare(["uts"]));
	expect(own(guest)).toEqual(["ipc", "mnt", "user", "uts"]);
});

test("a pid namespace that a task makes is that of its children, and not its own", async () => {
	await using task = await Task.clone(root);
	task.run(() => unshare(["pid", "uts"]));
	expect(own(task)).toEqual(["mnt", "user", "uts"]);
	await using child = await task.clone();
	expect(own(child)).toEqual(["mnt", "pid", "user", "uts"]);
	child.run(() => unshare(["pid"]));
	expect(own(child)).toEqual(["mnt", "pid", "user", "uts"]);
	const seen: string[][] = [];
	await using other = await Task.clone(root);
	const batch = other.batch(() => {
		unshare(["pid"]);
		seen.push(own());
	});
	const cloning = other.clone();
	await batch;
	await using later = await cloning;
	expect([...seen, own(later)]).toEqual([
		["mnt", "user"],
		["mnt", "pid", "user"],
	]);
});

needs("root", "/proc").test(
	"a task that enters the pid namespace of this process has no children in another one",
	async () => {
		await using task = await Task.clone();
		using fd = task.run(() => openat2("/proc/self/ns/pid"));
		task.run(() => {
			unshare(["pid"]);
			setns(fd);
		});
		expect(own(task)).toEqual([]);
		await using child = await task.clone();
		expect(own(child)).toEqual([]);
	},
);

test("in a batch, kinds made by earlier calls count at once", async () => {
	await using task = await Task.clone(root);
	const seen: string[][] = [];
	await task.batch(() => {
		seen.push(own());
		unshare(["uts"]);
		seen.push(own());
		unshare(["net", "ipc"]);
		seen.push(own());
	});
	expect(seen).toEqual([
		["mnt", "user"],
		["mnt", "user", "uts"],
		["ipc", "mnt", "net", "user", "uts"],
	]);
	expect(own(task)).toEqual(["ipc", "mnt", "net", "user", "uts"]);
});

test("kinds of a batch that fails do not count, except those made before the failure", async () => {
	await using task = await Task.clone(root);
	const failing = task.batch(() => {
		unshare(["uts"]);
		unshare(1);
		unshare(["ipc"]);
	});
	expect(own(task)).toEqual(["ipc", "mnt", "user", "uts"]);
	await expect(failing).rejects.toMatchObject({ code: "EINVAL", syscall: "unshare", step: 1 });
	expect(own(task)).toEqual(["mnt", "user", "uts"]);
	const unsent = task.batch(() => {
		unshare(["net"]);
		throw new Error("the batch is not sent");
	});
	await expect(unsent).rejects.toThrow("the batch is not sent");
	expect(own(task)).toEqual(["mnt", "user", "uts"]);
});

test("a task that is cloned while a batch is under way has what the batch makes, and not what fails", async () => {
	await using task = await Task.clone(root);
	const batch = task.batch(() => unshare(["uts"]));
	const failing = task.batch(() => unshare(1));
	const cloning = task.clone({ namespaces: ["net"] });
	await batch;
	await expect(failing).rejects.toMatchObject({ code: "EINVAL" });
	await using child = await cloning;
	expect(own(child)).toEqual(["mnt", "net", "user", "uts"]);
	expect(String(child)).toContain("uts");
});

needs("/proc").test(
	"a batch that enters a namespace without its kind may lose every kind, until it has ended",
	async () => {
		await using task = await Task.clone(root);
		await using other = await task.clone({ namespaces: ["uts"] });
		other.run(() => native().setPrctl(prctlOptions.setDumpable, [1]));
		task.run(() => unshare(["uts", "ipc"]));
		using fd = task.run(() => openat2(`/proc/${other.pid}/ns/uts`));
		const batch = task.batch(() => setns(fd));
		expect(own(task)).toEqual(["user"]);
		await batch;
		expect(own(task)).toEqual(["ipc", "mnt", "user"]);
	},
);
