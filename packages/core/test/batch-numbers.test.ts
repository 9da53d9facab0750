import { expect, test } from "vitest";
import { type FileDescriptor, pipe, Task } from "../src/index.ts";
import { expectNoLeaks } from "./leaks.ts";

expectNoLeaks();

test("what a batch puts where its message's own descriptors were stays open after it", async () => {
	const pipes = Array.from({ length: 4 }, () => pipe());
	await using task = await Task.clone();
	const placed = await task.batch(() => {
		const put = pipes.map(([, write]) => task.put(write));
		const high = put.map((fd) => fd.dup({ min: 20 }));
		return high.map((fd, index) => fd.dupTo(3 + index));
	});
	expect(placed.map(({ fd }) => fd)).toEqual([3, 4, 5, 6]);
	for (const [index, [read]] of pipes.entries()) {
		task.run(() => (placed[index] as FileDescriptor).write(`${index}`));
		expect(read.read(9).toString()).toBe(`${index}`);
	}
	for (const end of pipes.flat()) end.close();
});
