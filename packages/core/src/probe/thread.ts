import { cloneFlags, namespaceFlags } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { Task } from "../task/task.ts";
import type { Answer } from "./features.ts";
import { refused, type Tasks, Worker } from "./tasks.ts";

/**
 * Tries whether a thread of this process gets a network namespace of its own. A task makes the same calls before: a seccomp filter
 * that kills their caller would kill this process.
 */
export async function tryThread(tasks: Tasks): Promise<Answer> {
	const worker = new Worker(tasks);
	for (const flags of [cloneFlags.fs, namespaceFlags.net]) {
		const answer = await worker.attempt("unshare", () => native().unshare(flags));
		if (answer.works !== true && answer.code !== "EPERM" && answer.code !== "ENOSPC") return answer;
	}
	await worker.end();
	try {
		const { signal } = tasks;
		const thread = await Task.thread({ namespaces: ["net"], ...(signal && { signal }) });
		await thread[Symbol.asyncDispose]();
		return { works: true };
	} catch (error) {
		tasks.throwIfAborted();
		return refused(error, "unshare");
	}
}
