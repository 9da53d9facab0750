// A Node with as many idle tasks as its argument says. When asked, the program reports how many milliseconds the clone of
// one more takes.
import { Task } from "@nearfar/core";
import { wall } from "./clock.ts";

const COUNT = 30;

const crowd: Task[] = [];
for (let count = Number(process.argv[2]); count > 0; count--) crowd.push(await Task.clone());

process.on("message", async () => process.send?.(await wall(COUNT, () => Task.clone())));
process.on("disconnect", async () => {
	for (const task of crowd.splice(0)) await task[Symbol.asyncDispose]();
});
process.send?.(0);
