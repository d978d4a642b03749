//! Questions that are asked at the same moment are answered together: what each of them would ask of the database alone
//! is then asked once for all.
//!
//! Each answer is worked out after its question came. Nothing waits in order to be together with others. A question
//! that comes while none is answered is answered at once; those that come meanwhile are the next that are answered.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Questions that wait, of each key apart. Clones share them.
pub(crate) struct Together<K: Eq + Hash, Q, A>(Arc<Mutex<HashMap<K, Waiting<Q, A>>>>);

impl<K: Eq + Hash, Q, A> Clone for Together<K, Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash, Q, A> Default for Together<K, Q, A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Shows nothing: questions are personal data.
impl<K: Eq + Hash, Q, A> std::fmt::Debug for Together<K, Q, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Together(…)")
    }
}

/// The questions of one key.
struct Waiting<Q, A> {
    line: VecDeque<(Q, oneshot::Sender<A>)>,
    /// So many tasks answer them.
    at_work: usize,
}

/// So many tasks answer the questions of one key: while one waits for the database another one works.
const AT_WORK: usize = 2;
/// So many questions are answered together.
const MOST: usize = 16;

impl<K, Q, A> Together<K, Q, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    Q: Send + 'static,
    A: Send + 'static,
{
    /// Has a question answered, with those of its key that wait too. Returns nothing if the work came to no end.
    pub async fn answer<W, F>(&self, key: K, question: Q, work: W) -> Option<A>
    where
        W: Fn(Vec<Q>) -> F + Send + 'static,
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let begins = {
            let mut all = self.all();
            let waiting = all.entry(key.clone()).or_insert_with(|| Waiting { line: VecDeque::new(), at_work: 0 });
            waiting.line.push_back((question, tell));
            let begins = waiting.at_work < AT_WORK;
            waiting.at_work += usize::from(begins);
            begins
        };
        if begins {
            // A task of its own: the caller may be given up in the middle, and others wait for the same answers.
            tokio::spawn(Worker { all: self.clone(), key, ended: false }.work(work));
        }
        told.await.ok()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<K, Waiting<Q, A>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that answers the questions of a key until none waits.
struct Worker<K: Clone + Eq + Hash + Send + 'static, Q: Send + 'static, A: Send + 'static> {
    all: Together<K, Q, A>,
    key: K,
    /// It is no more among those at work.
    ended: bool,
}

impl<K: Clone + Eq + Hash + Send + 'static, Q: Send + 'static, A: Send + 'static> Worker<K, Q, A> {
    async fn work<W, F>(mut self, work: W)
    where
        W: Fn(Vec<Q>) -> F + Send + 'static,
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        while let Some((questions, callers)) = self.next() {
            for (caller, answer) in callers.into_iter().zip(work(questions).await) {
                // A caller that was given up hears nothing.
                drop(caller.send(answer));
            }
        }
    }

    /// Takes those that wait; where none does the task is over, in the same moment.
    fn next(&mut self) -> Option<(Vec<Q>, Vec<oneshot::Sender<A>>)> {
        let mut all = self.all.all();
        let waiting = all.get_mut(&self.key)?;
        if waiting.line.is_empty() {
            self.ended = true;
            leave(&mut all, &self.key);
            return None;
        }
        let some = waiting.line.len().min(MOST);
        Some(waiting.line.drain(..some).unzip())
    }
}

impl<K: Clone + Eq + Hash + Send + 'static, Q: Send + 'static, A: Send + 'static> Drop for Worker<K, Q, A> {
    /// After a panic of the work those that wait are told that it came to no end.
    fn drop(&mut self) {
        if !self.ended {
            leave(&mut self.all.all(), &self.key);
        }
    }
}

/// Takes a task from those at work; with the last one goes what waits.
fn leave<K: Eq + Hash, Q, A>(all: &mut HashMap<K, Waiting<Q, A>>, key: &K) {
    if let Some(waiting) = all.get_mut(key) {
        waiting.at_work -= 1;
        if waiting.at_work == 0 {
            all.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each with itself and with how many were together, once it may.
    fn work(gate: &Arc<tokio::sync::Semaphore>) -> impl Fn(Vec<u32>) -> BoxedAnswers + Send + use<> {
        let gate = Arc::clone(gate);
        move |questions| {
            let gate = Arc::clone(&gate);
            Box::pin(async move {
                gate.acquire().await.unwrap().forget();
                let count = questions.len();
                questions.into_iter().map(|question| (question, count)).collect()
            })
        }
    }

    type BoxedAnswers = std::pin::Pin<Box<dyn Future<Output = Vec<(u32, usize)>> + Send>>;

    #[tokio::test]
    async fn those_that_come_meanwhile_are_answered_together_and_each_hears_its_own_answer() {
        let (together, gate) = (Together::<u8, u32, (u32, usize)>::default(), Arc::new(tokio::sync::Semaphore::new(0)));
        let mut asked = Vec::new();
        for question in 0..2 + u32::try_from(MOST).unwrap() + 3 {
            let (together, work) = (together.clone(), work(&gate));
            asked.push(tokio::spawn(async move { together.answer(7, question, work).await }));
            tokio::task::yield_now().await;
        }
        gate.add_permits(100);
        let mut sizes = Vec::new();
        for (question, asked) in (0..).zip(asked) {
            let (answer, size) = asked.await.unwrap().expect("it is answered");
            assert_eq!(answer, question);
            sizes.push(size);
        }
        assert_eq!(sizes[..2], [1, 1], "nothing waits for others");
        assert_eq!(sizes[2..2 + MOST], [MOST; MOST]);
        assert_eq!(sizes[2 + MOST..], [3, 3, 3]);
        tokio::task::yield_now().await;
        assert!(together.all().is_empty(), "nothing is left");
    }

    #[tokio::test]
    async fn one_whose_caller_is_given_up_holds_up_no_other() {
        let (together, gate) = (Together::<u8, u32, (u32, usize)>::default(), Arc::new(tokio::sync::Semaphore::new(0)));
        let ask = |question| {
            let (together, work) = (together.clone(), work(&gate));
            tokio::spawn(async move { together.answer(7, question, work).await })
        };
        let asked = [ask(0), ask(1), ask(2), ask(3)];
        tokio::task::yield_now().await;
        asked[0].abort();
        asked[2].abort();
        gate.add_permits(100);
        let [_, one, _, three] = asked;
        assert_eq!(one.await.unwrap().map(|(answer, _)| answer), Some(1));
        assert_eq!(three.await.unwrap().map(|(answer, _)| answer), Some(3));
    }

    #[tokio::test]
    async fn after_a_panic_each_hears_that_it_came_to_no_end_and_the_next_is_answered() {
        let together = Together::<u8, u32, u32>::default();
        let work = |questions: Vec<u32>| async move {
            tokio::task::yield_now().await;
            assert!(!questions.contains(&0), "this one comes to no end");
            questions
        };
        let asked: Vec<_> = (0..4)
            .map(|question| {
                let together = together.clone();
                tokio::spawn(async move { together.answer(7, question, work).await })
            })
            .collect();
        for (question, asked) in (0..).zip(asked) {
            // Those that were together with it come to no end either; the others are answered.
            let answer = asked.await.unwrap();
            assert!(answer.is_none() || (answer == Some(question) && question > 0), "{question}: {answer:?}");
        }
        assert_eq!(together.answer(7, 9, work).await, Some(9));
        tokio::task::yield_now().await;
        assert!(together.all().is_empty(), "nothing is left");
    }
}
