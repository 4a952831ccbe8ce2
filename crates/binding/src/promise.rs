//! Promises that a thread of the datapath settles.

use napi::bindgen_prelude::{Env, Object, ToNapiValue};
use napi::{Error, Result, Status};
use terway_datapath::Reply;

type Settle<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// The side of a promise that goes to the datapath.
pub struct Pending<T>(Settle<T>);

/// Makes a promise and hands its other side to `start`.
pub fn promise<'env, T>(env: &'env Env, start: impl FnOnce(Pending<T>)) -> Result<Object<'env>>
where
    T: ToNapiValue + Send + 'static,
{
    type Resolver<T> = Box<dyn FnOnce(Env) -> Result<T> + Send>;
    let (deferred, promise) = env.create_deferred::<T, Resolver<T>>()?;
    start(Pending(Box::new(move |result| match result {
        Ok(value) => deferred.resolve(Box::new(move |_| Ok(value))),
        Err(error) => deferred.reject(error),
    })));
    Ok(promise)
}

impl<T: Send + 'static> Pending<T> {
    /// A reply of the datapath that resolves the promise with the converted answer.
    pub fn map<A: 'static>(self, convert: impl FnOnce(A) -> T + Send + 'static) -> Reply<A> {
        self.reply(move |answer| Ok(convert(answer)))
    }

    /// The same for answers that have no place for a failure.
    pub fn try_map<A: 'static>(self, convert: impl FnOnce(A) -> terway_datapath::error::Result<T> + Send + 'static) -> Reply<A> {
        self.reply(move |answer| convert(answer).map_err(reason))
    }

    fn reply<A: 'static>(self, convert: impl FnOnce(A) -> Result<T> + Send + 'static) -> Reply<A> {
        Reply::new(move |answer| match answer {
            Some(answer) => (self.0)(convert(answer)),
            None => (self.0)(Err(Error::new(
                Status::GenericFailure,
                "the datapath is closed, or broke off the call",
            ))),
        })
    }
}

/// An expected failure as an exception, where there is no other way.
pub fn reason(error: terway_datapath::error::Error) -> Error {
    Error::new(Status::GenericFailure, error.to_string())
}
