/**
 * The queues page: what its scripts share.
 */
( () => {
	'use strict';

	const page = window.tillsyncQueues;
	const { words, namespace } = page;
	const shared = window.tillsyncScreens;
	let numbers = 0;

	page.element = shared.element;

	page.newId = () => `tillsync-${ ++numbers }`;

	/** "%s" and "%1$s" by turns. */
	page.fill = ( text, ...values ) =>
		text.replaceAll( /%(?:(\d)\$)?[sd]/g, ( _, position ) => String( position ? values[ position - 1 ] : values.shift() ) );

	page.call = shared.callsTo( namespace );
	page.isExpired = shared.isExpired;
	page.sentence = ( error ) => shared.sentence( error, words );

	/** The service is not there, or this shop may not use it: the page itself is well. */
	page.isService = ( error ) => typeof error?.code === 'string' && error.code.startsWith( 'tillsync_' ) && error.code !== 'tillsync_failed';

	/** One thing at a time for a button; it keeps the focus while it waits. */
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

	/** A dialog with a heading; gives back what is needed to fill and close it. Escape and Close end it, the focus returns. */
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

	/** Open dialogs: the page does not change under them. */
	page.open = 0;

	/** Asks before something happens. Resolves to true or false. */
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
