/**
 * Functions that the scripts of the queues page share.
 */
( () => {
	'use strict';

	const page = window.tillsyncQueues;
	const { words, namespace } = page;
	const shared = window.tillsyncScreens;
	let numbers = 0;

	page.element = shared.element;

	page.newId = () => `tillsync-${ ++numbers }`;

	/** Replaces "%s" in order and "%1$s" by position. */
	page.fill = ( text, ...values ) =>
		text.replaceAll( /%(?:(\d)\$)?[sd]/g, ( _, position ) => String( position ? values[ position - 1 ] : values.shift() ) );

	page.call = shared.callsTo( namespace );
	page.isExpired = shared.isExpired;
	page.sentence = ( error ) => shared.sentence( error, words );

	/** Tells whether the service does not answer or refuses this shop, while this site works. */
	page.isService = ( error ) => typeof error?.code === 'string' && error.code.startsWith( 'tillsync_' ) && error.code !== 'tillsync_failed';

	/** Lets a button run one task at a time. The button keeps the focus meanwhile. */
	page.busy = async ( button, work ) => {
		if ( button.getAttribute( 'aria-disabled' ) === 'true' ) {
			return;
		}
		button.setAttribute( 'aria-disabled', 'true' );
		try {
			await work();
		} catch ( error ) {
			page.say( page.sentence( error ), 'error' );
		} finally {
			button.removeAttribute( 'aria-disabled' );
		}
	};

	/** Opens a dialog with a heading, and returns what fills and closes it. Escape and Close close it, and the focus returns. */
	page.dialog = ( title, wide = false ) => {
		const id = page.newId();
		const body = page.element( 'div', { className: 'tillsync-dialog-body' } );
		const close = page.element( 'button', { type: 'button', className: 'button-link tillsync-dialog-close', 'aria-label': words.close, textContent: '×' } );
		const dialog = page.element(
			'dialog',
			{ className: `tillsync-dialog${ wide ? ' tillsync-dialog-wide' : '' }`, 'aria-labelledby': id },
			page.element( 'div', { className: 'tillsync-dialog-head' }, page.element( 'h2', { id, textContent: title } ), close ),
			body
		);
		const from = document.activeElement;
		const end = () => dialog.close();
		close.addEventListener( 'click', end );
		dialog.addEventListener( 'close', () => {
			dialog.remove();
			page.open -= 1;
			( document.contains( from ) ? from : document.querySelector( '#tillsync-queues [aria-selected="true"]' ) )?.focus();
		} );
		document.querySelector( '#tillsync-queues' ).append( dialog );
		page.open += 1;
		dialog.showModal();
		return { dialog, body, end };
	};

	/** Number of open dialogs. The page does not refresh while one is open. */
	page.open = 0;

	/** Asks for a confirmation. Resolves to true or false. */
	page.ask = ( title, question ) =>
		new Promise( ( resolve ) => {
			const { dialog, body, end } = page.dialog( title );
			let answer = false;
			const yes = page.element( 'button', { type: 'button', className: 'button button-primary', textContent: words.yes } );
			const no = page.element( 'button', { type: 'button', className: 'button', textContent: words.cancel } );
			yes.addEventListener( 'click', () => {
				answer = true;
				end();
			} );
			no.addEventListener( 'click', end );
			dialog.addEventListener( 'close', () => resolve( answer ) );
			body.append( page.element( 'p', { textContent: question } ), page.element( 'p', { className: 'tillsync-buttons' }, yes, no ) );
			no.focus();
		} );
} )();
