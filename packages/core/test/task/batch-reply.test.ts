import { existsSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { stat } from "../../../../test/processes.ts";
import { native } from "../../src/addon/native.ts";
import { chdir, Process, Task } from "../../src/index.ts";

const nothing = () => chdir(".");

afterEach(() => {
	vi.restoreAllMocks();
});

test("the reply to a batch that has ended already is the result of the call that sends the batch", async () => {
	await Task.near.batch(nothing);
	const drain = vi.spyOn(native(), "drain");
	const batch = vi.spyOn(native(), "batch");
	await Task.near.batch(nothing);
	expect(drain).not.toHaveBeenCalled();
	expect(batch.mock.results).toMatchObject([{ type: "return", value: { kind: "batch", numbers: [] } }]);
});

test("a batch that has ended already does not overtake an earlier one whose event waits", async () => {
	await using slow = await Task.clone();
	await using quick = await Task.clone();
	const last = await Task.clone();
	const order: string[] = [];
	const earlier = slow.batch(() => new Process(slow.pid).kill("SIGSTOP")).then(() => order.push("earlier"));
	while (stat(slow.pid)?.state !== "T"); // a signal that comes before the task has stopped would not continue it
	slow.process.kill("SIGCONT");
	slow.run(nothing); // returns after the reactor has received the reply to the batch
	last.process.kill("SIGKILL");
	// The reactor reaps the task after it has posted the event of the batch.
	while (existsSync(`/proc/${last.pid}`));
	await Promise.all([quick.batch(nothing).then(() => order.push("later")), earlier]);
	expect(order).toEqual(["earlier", "later"]);
});
