import { testExample } from "../../../test/example.ts";
import { expectNoLeaks } from "./leaks.ts";

expectNoLeaks();
testExample(import.meta.url);
