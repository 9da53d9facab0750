// Pins beside those of ip-netns(8).
import { mkdir, Task } from "@nearfar/core";
import { tmpfs } from "@nearfar/mount";
import { Namespace } from "@nearfar/namespaces";
import { expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { outputOfProgram } from "../../../test/output-of-program.ts";
import { refusal } from "../../../test/refusal.ts";

const { test } = needs("the program ip", "net namespaces", "/proc");

/** Makes a task with an empty /run/netns of its own. */
async function folder(): Promise<Task> {
	const task = await Task.clone({ namespaces: ["user", "mnt", "net"], idMap: "root" });
	task.run(() => {
		tmpfs("/run");
		mkdir("/run/netns");
	});
	return task;
}

/** Runs ip-netns(8) in a task like `task`, and returns the names in its output. */
async function ip(task: Task, ...words: string[]): Promise<string[]> {
	await using child = await task.clone();
	const output = await outputOfProgram(child, ["ip", "netns", ...words]);
	return output.split("\n").flatMap((line) => line.split(" ")[0] || []);
}

test("ip netns sees a pin, and the namespace that ip netns adds is opened and taken away", async () => {
	await using task = await folder();
	await ip(task, "add", "theirs");
	task.run(() => {
		using net = Namespace.current("net");
		net.pin("/run/netns/after");
		using theirs = Namespace.open("/run/netns/theirs", "net");
		using after = Namespace.open("/run/netns/after", "net");
		expect([theirs.same(net), after.same(net)]).toEqual([false, true]);
		expect(refusal(() => net.pin("/run/netns/theirs")).code).toBe("EEXIST");
	});
	expect((await ip(task, "list")).sort()).toEqual(["after", "theirs"]);
	task.run(() => Namespace.unpin("/run/netns/theirs"));
	expect(await ip(task, "list")).toEqual(["after"]);
	await ip(task, "delete", "after");
	expect(await ip(task, "list")).toEqual([]);
});

test("a pin from before the first ip netns add is there twice, and unpin ends with EBUSY", async () => {
	await using task = await folder();
	task.run(() => {
		using net = Namespace.current("net");
		net.pin("/run/netns/before");
	});
	await ip(task, "add", "theirs");
	expect((await ip(task, "list")).sort()).toEqual(["before", "theirs"]);
	expect(task.run(() => refusal(() => Namespace.unpin("/run/netns/before")))).toMatchObject({
		code: "EBUSY",
		syscall: "unlinkat",
		path: "/run/netns/before",
	});
});
