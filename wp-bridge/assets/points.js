/**
 * Fills the places for points. One request for all places of a page; no points: the places go.
 */
( () => {
	'use strict';

	const { url, confirm, nonce, renew, loading, failed, unsent } = window.tillsyncPoints;
	const SOON_MILLISECONDS = 3000;
	const SOON_TRIES = 40;

	const ask = ( address, withNonce ) =>
		fetch( address, { method: 'POST', credentials: 'same-origin', cache: 'no-store', headers: { 'X-WP-Nonce': withNonce, Accept: 'application/json' } } );

	// A page that was open, or kept by a cache, for longer than a nonce lives: WordPress gives a new one to whoever is still logged in.
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
		// Logged out meanwhile, or points switched off: nothing to say.
		if ( answer.status === 401 || answer.status === 403 ) {
			return { html: '', soon: false };
		}
		if ( ! answer.ok ) {
			throw new Error( String( answer.status ) );
		}
		return answer.json();
	};

	// A shopper whose email is not confirmed asks for the mail.
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

	// Confirmed a moment ago: the points are on their way.
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
