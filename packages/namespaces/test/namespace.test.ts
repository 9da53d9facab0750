import { readdirSync } from "node:fs";

import { Task } from "@nearfar/core";
import { Namespace, type NamespaceLink, unshare } from "@nearfar/namespaces";
import { describe, expect, test } from "vitest";
import { capable, namespaceOf } from "./tasks.ts";

const all = readdirSync("/proc/self/ns") as NamespaceLink[];
const own = { namespaces: ["user", "mnt", "net", "uts", "ipc", "pid"], idMap: "root" } as const;

describe("current", () => {
	test("each name is the namespace that /proc shows, near and in a task", async () => {
		await using task = await Task.clone(own);
		for (const link of all) {
			using near = Namespace.current(link);
			expect(String(near)).toBe(namespaceOf("self", link));
			expect(near.closeOnExec).toBe(true);
			using far = task.run(() => Namespace.current(link));
			expect(far.table).toBe(task.fdTable);
			expect(String(far)).toBe(namespaceOf(task, link));
			expect(far.kind).toBe(link.replace("_for_children", ""));
		}
	});

	test("in a batch it is the namespace at that step, and the batch keeps nothing else open", async () => {
		await using task = await Task.clone(capable);
		const before = namespaceOf(task, "uts");
		const [first, second] = await task.batch(() => {
			const first = Namespace.current("uts");
			unshare(["uts"]);
			return [first, Namespace.current("uts")];
		});
		expect(String(first)).toBe(before);
		expect(String(second)).toBe(namespaceOf(task, "uts"));
		expect(String(second)).not.toBe(before);
		expect(readdirSync(`/proc/${task.pid}/fd`).length).toBe(3 + 2 + 1); // 0 to 2, both namespaces, the channel
	});
});
