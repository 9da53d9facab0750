import { type NamespaceKind, namespaceFlags } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import type { AllNamespaces, Answer } from "./features.ts";
import { type Tasks, Worker } from "./tasks.ts";

/** All kinds of namespaces. `"user"` comes last: a task that has made one has capabilities that the process has not. */
export const kinds = (Object.keys(namespaceFlags) as NamespaceKind[]).sort(
	(a, b) => Number(a === "user") - Number(b === "user"),
);

/** Tries which namespaces this process may make as it is, all but `"user"`. One task makes one after the other. */
export async function tryDirect(tasks: Tasks): Promise<Map<NamespaceKind, Answer>> {
	const worker = new Worker(tasks);
	const answers = new Map<NamespaceKind, Answer>();
	for (const kind of kinds.slice(0, -1)) answers.set(kind, await unshare(worker, [kind]));
	await worker.end();
	return answers;
}

/**
 * Tries which namespaces can be made along with a new user namespace. One call answers for all kinds, if the kernel allows all. If the kernel
 * refuses the call, each kind is tried by itself, and one after the other, because of a limit on user namespaces.
 */
export async function tryWithUser(tasks: Tasks): Promise<Map<NamespaceKind, Answer>> {
	const all = await tryOnce(tasks, kinds);
	if (all.works) return new Map(kinds.map((kind) => [kind, { works: true }]));
	const user = await tryOnce(tasks, ["user"]);
	const answers = new Map<NamespaceKind, Answer>();
	for (const kind of kinds.slice(0, -1)) {
		// Without a user namespace, the answer for all kinds is the one for the user namespace.
		answers.set(kind, user.works ? await tryOnce(tasks, ["user", kind]) : { ...user });
	}
	return answers.set("user", user);
}

/** Makes namespaces in a task of its own, which ends afterwards. */
async function tryOnce(tasks: Tasks, wanted: readonly NamespaceKind[]): Promise<Answer> {
	const worker = new Worker(tasks);
	const answer = await unshare(worker, wanted);
	await worker.end();
	return answer;
}

function unshare(worker: Worker, wanted: readonly NamespaceKind[]): Promise<Answer> {
	const flags = wanted.reduce((all, kind) => all | namespaceFlags[kind], 0);
	return worker.attempt("unshare", () => native().unshare(flags));
}

/** Puts the answers about the kinds together. `mapped` is whether a new user namespace gets a map of the own ids. */
export function together(
	direct: Map<NamespaceKind, Answer>,
	withUser: Map<NamespaceKind, Answer>,
	mapped: Answer,
): AllNamespaces {
	const untried: Answer = { works: undefined };
	const entries = kinds.map((kind) => {
		const made = withUser.get(kind) ?? untried;
		if (kind === "user") return [kind, { direct: made, withUser: mapped }];
		return [kind, { direct: direct.get(kind) ?? untried, withUser: made }];
	});
	return Object.fromEntries(entries) as AllNamespaces;
}
