// Runs in every test file. A test file fails that changes this process or leaves something behind.
import { makeTasksInspectable } from "./inspectable.ts";
import { expectNoLeaks } from "./leaks.ts";
import { skipWhatNeedsProc } from "./without-proc.ts";

makeTasksInspectable();
skipWhatNeedsProc();
expectNoLeaks();
