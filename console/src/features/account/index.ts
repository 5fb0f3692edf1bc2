/** @file The screens before one is signed in. */
export { SetUpPage } from "./set-up-page.tsx";
export { SignInPage } from "./sign-in-page.tsx";
