//! `login` and `logout`: try a password and keep it; forget it.

use super::Scene;
use super::args::{Common, Logout};
use super::credentials::Credentials;
use super::exit::Exit;
use super::json::Line;
use super::password;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::text;

/// Logs in, and keeps the password if the server takes it.
pub(super) fn login(scene: &Scene, common: &Common) -> Result<Exit> {
    let mut options = scene.config.options.clone();
    let login = password::first_login(common, &options.server, &scene.cancel)?;
    password::leave_no_core();
    options.login = Some(login.clone());
    let mut client = Client::connect(&options, &scene.cancel)?.observed_by(scene.observer());
    let user = client.log_in()?;
    let name = password::keep(&options.server, &login)?;
    let (server, user) = (name.as_str(), user.as_str());
    scene.out.json(&Line::Login { server, user })?;
    scene.out.note(&format!(
        "logged in to {server} as {}; the password is kept",
        text::escape(user)
    ));
    Ok(Exit::Ok)
}

/// Forgets one user's password, or those of all users of a server.
pub(super) fn logout(scene: &Scene, common: &Common, args: &Logout) -> Result<Exit> {
    let server = args.server.as_ref().unwrap_or(&common.server);
    let server = password::name_of(server)?;
    let gone = Credentials::usual()?.forget(&server, common.user.as_deref())?;
    if gone.is_empty() {
        return Err(Error::Usage(format!("no password is kept for {server}")));
    }
    for user in &gone {
        let server = server.as_str();
        scene.out.json(&Line::Logout { server, user })?;
        let shown = text::escape(user);
        scene.out.note(&format!("forgot {shown} at {server}"));
    }
    Ok(Exit::Ok)
}
