export { LOGIN_ROUTES, backchannelLogout, chooseMyOrganization, getMe, login, loginCallback, logout } from './login/routes.ts'
export type { BackchannelLogout, ChooseOrganization, LoggedOut, LoginCallbackQuery, LoginQuery, Me, MyOrganization } from './login/types.ts'
