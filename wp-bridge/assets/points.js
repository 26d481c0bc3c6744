/**
 * Fills the elements for points with one request a page. Without points it hides them.
 */
( () => {
	'use strict';

	const { url, confirm, nonce, renew, loading, failed, unsent } = window.tillsyncPoints;
	const SOON_MILLISECONDS = 3000;
	const SOON_TRIES = 40;

	const ask = ( address, withNonce ) =>
		fetch( address, { method: 'POST', credentials: 'same-origin', cache: 'no-store', headers: { 'X-WP-Nonce': withNonce, Accept: 'application/json' } } );

	// The page's nonce may have expired, on a page that was open for long or that a cache stored. WordPress gives a logged-in user a new
	// one.
	const askWithFreshNonce = async ( address ) => {
		const given = await fetch( renew, { credentials: 'same-origin', cache: 'no-store' } );
		const fresh = given.ok ? ( await given.text() ).trim() : '';
		return /^[0-9a-f]{10}$/.test( fresh ) ? ask( address, fresh ) : null;
	};

	const post = async ( address ) => {
		const answer = await ask( address, nonce );
		return answer.status === 403 || answer.status === 401 ? ( await askWithFreshNonce( address ) ) ?? answer : answer;
	};

	const load = async () => {
		const answer = await post( url );
		// The shopper has logged out, or points are switched off, so nothing is shown.
		if ( answer.status === 401 || answer.status === 403 ) {
			return { html: '', soon: false };
		}
		if ( ! answer.ok ) {
			throw new Error( String( answer.status ) );
		}
		return answer.json();
	};

	// Sends the confirmation mail at the shopper's request.
	const send = async ( button ) => {
		const said = button.closest( '[data-tillsync-points]' ).querySelector( '[data-tillsync-confirm-said]' );
		button.disabled = true;
		let words = unsent;
		try {
			const answer = await post( confirm );
			words = answer.ok ? ( await answer.json() ).said : unsent;
		} catch {
			words = unsent;
		}
		button.disabled = false;
		if ( said ) {
			said.textContent = words;
		}
	};

	const fill = ( places, html ) => {
		places.forEach( ( place ) => {
			place.removeAttribute( 'aria-busy' );
			place.innerHTML = html;
			place.hidden = html === '';
			place.querySelectorAll( '[data-tillsync-confirm]' ).forEach( ( button ) => button.addEventListener( 'click', () => send( button ) ) );
		} );
	};

	// Loads the points, and repeats it after a confirmation, when the points arrive in a moment.
	const look = async ( places, triesLeft ) => {
		const { html, soon } = await load();
		fill( places, html.trim() );
		if ( soon && triesLeft > 0 ) {
			setTimeout( () => look( places, triesLeft - 1 ).catch( () => {} ), SOON_MILLISECONDS );
		}
	};

	const start = async () => {
		const places = [ ...document.querySelectorAll( '[data-tillsync-points]' ) ];
		if ( places.length === 0 ) {
			return;
		}
		places.forEach( ( place ) => {
			place.setAttribute( 'aria-busy', 'true' );
			place.textContent = loading;
		} );
		try {
			await look( places, SOON_TRIES );
		} catch {
			places.forEach( ( place ) => {
				place.removeAttribute( 'aria-busy' );
				place.textContent = failed;
			} );
		}
	};

	if ( document.readyState === 'loading' ) {
		document.addEventListener( 'DOMContentLoaded', start );
	} else {
		start();
	}
} )();
