/** @file The screens before one is signed in. */
export { InvitationPage } from "./invitation-page.tsx";
export { SetUpPage } from "./set-up-page.tsx";
export { SignInPage } from "./sign-in-page.tsx";
