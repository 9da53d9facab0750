import { expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { pipe, Task } from "../../src/index.ts";

const [NANOSLEEP, UNKNOWN] = [process.arch === "x64" ? 35 : 101, 3999];
const SHORT = new Uint8Array(new BigInt64Array([0n, 20_000_000n]).buffer); // struct timespec: longer than Node waits for the reply itself

test.each([
	["without descriptors", () => []],
	["that has made descriptors", pipe],
])("the error of a batch %s does not wait for the next batch, which may block", async (_, make) => {
	await using task = await Task.clone();
	const [reading, writing] = task.run(() => pipe());
	const refused = reason(() =>
		task.batch(() => {
			make();
			task.syscall(NANOSLEEP, SHORT, 0);
			task.syscall(UNKNOWN);
		}),
	);
	const writer = task.get(writing);
	const blocked = task.batch(() => task.syscall(process.arch === "x64" ? 0 : 63, reading, new Uint8Array(1), 1));
	expect(await refused).toMatchObject({ code: "ENOSYS" });
	writer.write("x");
	await blocked;
	writer.close();
});
