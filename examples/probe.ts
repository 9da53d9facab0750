// Prints what this process may do, and what stands in the way. Ends with 1 where no task can be cloned.
import { probe } from "@nearfar/core";

const found = await probe();
console.log(`${found}`);
if (!found.features.task.works) process.exitCode = 1;
