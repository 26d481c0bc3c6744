/**
 * The settings screen: the preview of a change, and the search for the default till customer. Without this script the preview is a button.
 */
( () => {
	'use strict';

	const { namespace, words } = window.tillsyncSettings;
	const shared = window.tillsyncScreens;
	const { element, callsTo, released } = shared;

	const call = callsTo( namespace );
	const sentence = ( error ) => shared.sentence( error, words );

	const setUpEffect = ( screen ) => {
		const effect = screen.querySelector( '.tillsync-effect' );
		const fields = () => [ ...screen.querySelectorAll( '[name^="tillsync_settings["]' ) ];
		if ( ! effect ) {
			return;
		}
		let newest = 0;
		const ask = async () => {
			const settings = {};
			fields().forEach( ( field ) => {
				if ( field.type !== 'checkbox' || field.checked ) {
					settings[ field.name.slice( 'tillsync_settings['.length, -1 ) ] = field.value;
				}
			} );
			const request = ++newest;
			await released(); // a field fires its change event when the pointer goes down elsewhere, for example on Save
			effect.textContent = words.loading;
			try {
				const { lines } = await call( 'settings/preview', 'POST', { settings } );
				if ( request === newest ) {
					effect.textContent = lines.join( ' ' );
				}
			} catch ( error ) {
				if ( request === newest ) {
					effect.textContent = sentence( error );
				}
			}
		};
		screen.addEventListener( 'change', ( event ) => {
			if ( event.target.name?.startsWith( 'tillsync_settings[' ) ) {
				ask();
			}
		} );
		screen.querySelector( '.tillsync-preview' )?.addEventListener( 'click', ( event ) => {
			event.preventDefault();
			ask();
		} );
	};

	const setUpSearch = ( cell ) => {
		const number = cell.querySelector( 'input' );
		const field = element( 'input', { type: 'search', maxLength: 254, className: 'regular-text', placeholder: words.search } );
		field.setAttribute( 'aria-label', words.search );
		const find = element( 'button', { type: 'button', className: 'button', textContent: words.find } );
		const said = element( 'p', {} );
		said.setAttribute( 'role', 'status' );
		const list = element( 'ul', { className: 'tillsync-found' } );
		const go = async () => {
			const query = field.value.trim();
			if ( query === '' || find.getAttribute( 'aria-disabled' ) === 'true' ) {
				return;
			}
			find.setAttribute( 'aria-disabled', 'true' );
			said.textContent = words.loading;
			try {
				const { customers, truncated } = await call( `till-customers?query=${ encodeURIComponent( query ) }` );
				list.replaceChildren( ...customers.map( row ) );
				said.textContent = customers.length === 0 ? words.none : truncated ? words.more : '';
			} catch ( error ) {
				said.textContent = sentence( error );
			} finally {
				find.removeAttribute( 'aria-disabled' );
			}
		};
		const row = ( found ) => {
			const title = element( 'strong', { textContent: [ found.id, found.name, found.email ].filter( Boolean ).join( ' · ' ) } );
			if ( found.linked_user_id !== '' && found.linked_user_id !== '0' ) {
				return element( 'li', {}, title, ` (${ words.taken })` );
			}
			const choose = element( 'button', { type: 'button', className: 'button button-small', textContent: words.choose } );
			choose.setAttribute( 'aria-label', `${ words.choose }: ${ found.id } ${ found.name }` );
			choose.addEventListener( 'click', () => {
				number.value = found.id;
				number.dispatchEvent( new Event( 'change', { bubbles: true } ) );
				list.replaceChildren();
				said.textContent = words.chosen;
				number.focus();
			} );
			return element( 'li', {}, title, ' ', choose );
		};
		find.addEventListener( 'click', go );
		field.addEventListener( 'keydown', ( event ) => {
			if ( event.key === 'Enter' ) {
				event.preventDefault();
				go();
			}
		} );
		cell.append( element( 'div', { className: 'tillsync-search' }, field, ' ', find ), said, list );
	};

	const start = () =>
		document.querySelectorAll( '.tillsync-settings' ).forEach( ( screen ) => {
			setUpEffect( screen );
			screen.querySelectorAll( '.tillsync-default' ).forEach( setUpSearch );
		} );
	if ( document.readyState === 'loading' ) {
		document.addEventListener( 'DOMContentLoaded', start );
	} else {
		start();
	}
} )();
